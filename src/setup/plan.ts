/** What `setup` is going to do, before it does it. */
import { IsotorchError } from "../base/errors.ts";
import { quoted } from "../python/command.ts";
import type { Manager } from "../python/conda/managers.ts";
import type { Variant } from "./conda/variant.ts";

/** The ways of making an environment. */
export const WAYS = ["apt", "venv", "conda"] as const;
/** A way of making an environment. */
export type Way = (typeof WAYS)[number];

/** One command of a plan. */
export interface Step {
  readonly file: string;
  readonly args: readonly string[];
  /** Environment variables over the present ones. */
  readonly env?: Readonly<Record<string, string>>;
  /** Whether the plan goes on when it fails: a later step tells whether it mattered. */
  readonly mayFail?: boolean;
}

/** What `setup` is going to do, before it does it. */
export interface Plan {
  readonly via: Way;
  /** Why this way, one clause. */
  readonly why: string;
  readonly steps: readonly Step[];
  /** Where the interpreter will be. */
  readonly python: string;
  /** For a conda environment: what makes it, where, and what of an earlier attempt goes first. */
  readonly conda?: CondaPlan;
}

/** What is particular to a conda environment. */
export interface CondaPlan {
  readonly manager: Manager;
  readonly variant: Variant;
  readonly prefix: string;
  /** Whether it is made or brought up to date. */
  readonly verb: "create" | "update";
  /** Absolute directories in which the manager keeps what it downloads. */
  readonly caches: readonly string[];
  /** A half-made prefix of an earlier setup, removed before the steps. */
  readonly removes: string | undefined;
}

/** A step as one would type it. */
export function typed({ file, args, env = {} }: Step): string {
  const assignments = Object.entries(env).map(([name, value]) => `${name}=${quoted(value)}`);
  return [...assignments, quoted(file), ...args.map((word) => quoted(word))].join(" ");
}

/** The `SETUP_FAILED` for a way that this machine does not have. */
export function notOpen(via: Way, reason: string, instead: string): IsotorchError {
  return new IsotorchError("SETUP_FAILED", `--via ${via} is not possible here: ${reason}.`, {
    hint: `Instead: ${instead}`,
  });
}
