/** Every task by its name. */
import { attest } from "./attest.ts";
import { classify } from "./classify.ts";
import { decode } from "./decode.ts";
import { generate } from "./generate.ts";
import { inspect } from "./inspect.ts";
import type { Reply, Task, TaskName } from "./task.ts";

export type { TaskName } from "./task.ts";

type Of<T> = T extends {
  readonly contentOf: (input: infer Input) => unknown;
  readonly partOf: (reply: Reply) => infer Part;
}
  ? { readonly input: Input; readonly part: Part }
  : never;

/** What each task takes and gives. */
interface Tasks {
  classify: Of<typeof classify>;
  decode: Of<typeof decode>;
  attest: Of<typeof attest>;
  generate: Of<typeof generate>;
  inspect: Of<typeof inspect>;
}

export type InputOf<N extends TaskName> = Tasks[N]["input"];
export type PartOf<N extends TaskName> = Tasks[N]["part"];

export const TASKS: { readonly [N in TaskName]: Task<N, InputOf<N>, PartOf<N>> } = {
  classify,
  decode,
  attest,
  generate,
  inspect,
};
