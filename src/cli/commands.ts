/** Every command: what it is, and where its code lies. A new command is one line here and a description. */
import type { Description } from "./description.ts";
import { EVAL, MANIFEST_DIFF, PARITY, TUTORIAL } from "./describe/checks.ts";
import { CLASSIFY } from "./describe/classify.ts";
import { COMPLETION } from "./describe/completion.ts";
import { CACHE_COMMAND, DOCTOR, MODELS, SETUP } from "./describe/environment.ts";
import { PREPROCESS } from "./describe/preprocess.ts";
import { DOWN, UP } from "./describe/ray.ts";
import { SERVE } from "./describe/serve.ts";

export interface Command {
  /**
   * `signal` fires on Ctrl-C or SIGTERM: finish what is cheap to finish, and return.
   *
   * @returns the exit code.
   */
  run(argv: readonly string[], signal: AbortSignal): Promise<number>;
}

type Registered = readonly [description: Description, load: () => Promise<Command>];

export const COMMANDS: Readonly<Record<string, Registered>> = {
  setup: [SETUP, () => import("./setup.ts")],
  doctor: [DOCTOR, () => import("./doctor.ts")],
  classify: [CLASSIFY, () => import("./classify.ts")],
  preprocess: [PREPROCESS, () => import("./preprocess.ts")],
  tutorial: [TUTORIAL, () => import("./tutorial.ts")],
  parity: [PARITY, () => import("./parity.ts")],
  eval: [EVAL, () => import("./eval.ts")],
  manifest: [MANIFEST_DIFF, () => import("./manifest.ts")],
  models: [MODELS, () => import("./models.ts")],
  cache: [CACHE_COMMAND, () => import("./cache.ts")],
  serve: [SERVE, () => import("./serve.ts")],
  up: [UP, () => import("./up.ts")],
  down: [DOWN, () => import("./down.ts")],
  completion: [COMPLETION, () => import("./completion.ts")],
};
