/** Every command: what it is, and where its code lies. A new command is one line here and a description. */
import type { Described } from "./completion/described.ts";
import type { Description } from "./flags/description.ts";
import { EVAL, MANIFEST_DIFF, PARITY, TUTORIAL } from "./describe/checks.ts";
import { CLASSIFY } from "./describe/classify.ts";
import { COMPLETION } from "./describe/completion.ts";
import { CACHE_COMMAND, DOCTOR, MODELS, SETUP } from "./describe/environment.ts";
import { PREPROCESS } from "./describe/preprocess.ts";
import { DOWN, UP } from "./describe/ray.ts";
import { SERVE } from "./describe/serve.ts";
import { DUPLICATES, EMBED, SIMILAR } from "./describe/similarity.ts";
import { GENERATE, INSPECT } from "./describe/text.ts";
import { TOKENIZER } from "./describe/tokenizer.ts";

export interface Command {
  /**
   * `signal` fires on Ctrl-C or SIGTERM: finish what is cheap to finish, and return.
   *
   * @param commands every command with its description.
   * @returns the exit code.
   */
  run(argv: readonly string[], signal: AbortSignal, commands: Described): Promise<number>;
}

type Registered = readonly [description: Description, load: () => Promise<Command>];

export const COMMANDS: Readonly<Record<string, Registered>> = {
  setup: [SETUP, () => import("./commands/setup.ts")],
  doctor: [DOCTOR, () => import("./commands/doctor.ts")],
  classify: [CLASSIFY, () => import("./commands/classify.ts")],
  embed: [EMBED, () => import("./commands/similarity/embed.ts")],
  similar: [SIMILAR, () => import("./commands/similarity/similar.ts")],
  duplicates: [DUPLICATES, () => import("./commands/similarity/duplicates.ts")],
  preprocess: [PREPROCESS, () => import("./commands/preprocess.ts")],
  tokenizer: [TOKENIZER, () => import("./commands/tokenizer/tokenizer.ts")],
  generate: [GENERATE, () => import("./commands/text/generate.ts")],
  inspect: [INSPECT, () => import("./commands/text/inspect.ts")],
  tutorial: [TUTORIAL, () => import("./commands/tutorial.ts")],
  parity: [PARITY, () => import("./commands/parity/parity.ts")],
  eval: [EVAL, () => import("./commands/eval.ts")],
  manifest: [MANIFEST_DIFF, () => import("./commands/manifest.ts")],
  models: [MODELS, () => import("./commands/models.ts")],
  cache: [CACHE_COMMAND, () => import("./commands/cache.ts")],
  serve: [SERVE, () => import("./commands/serve.ts")],
  up: [UP, () => import("./commands/up.ts")],
  down: [DOWN, () => import("./commands/down.ts")],
  completion: [COMPLETION, () => import("./commands/completion.ts")],
};

/** Every command with its description. */
export const DESCRIBED: Described = Object.entries(COMMANDS).map(([name, [description]]) => [
  name,
  description,
]);
