/** What is said of an environment that was preferred, and is gone or no longer fit. */
import { stat } from "node:fs/promises";
import { IsotorchError } from "../base/errors.ts";
import { quoted } from "./command.ts";

/** A preferred environment that cannot be used. Nothing else is taken in its place: it could give other bits. */
export interface Lost {
  /** Why it was preferred: `setup` recorded it, or it was used before. */
  readonly was: "recorded" | "used";
  /** Absolute path of the interpreter. */
  readonly python: string;
  /** Where it came from when it was recorded or used first: `setup (venv)`, `CONDA_PREFIX`, a prefix. */
  readonly source: string;
  /** The day since which it was preferred, such as `2026-11-26`; empty where the file system does not tell. */
  readonly since: string;
  /** Why it cannot be used, one clause. */
  readonly reason: string;
  /** Whether its interpreter is still there. */
  readonly exists: boolean;
  /** Its prefix, where conda made it. */
  readonly condaPrefix?: string | undefined;
}

/** How to go on, whatever was lost. */
const CHOOSE_AGAIN =
  "run `npx isotorch setup` to choose again, or name one with ISOTORCH_PYTHON=/path/to/python or --python";

/** Which environment is meant, and what is wrong with it: a sentence. */
export function lostSentence({ was, python, source, since, reason, exists }: Lost): string {
  const day = since === "" ? "" : ` on ${since}`;
  const why =
    was === "recorded"
      ? `that \`isotorch setup\` recorded${day}`
      : `that was used before (chosen${day}, by ${source})`;
  return exists
    ? `The Python ${why} can no longer run the worker: ${python} (${reason}).`
    : `The Python ${why} is gone: ${python} ${reason}.`;
}

/** `ENVIRONMENT_NOT_FOUND` for one that is gone, `ENVIRONMENT_BROKEN` for one that is no longer fit. */
export function lostError(lost: Lost): IsotorchError {
  const { exists, python, reason, condaPrefix } = lost;
  const restore = exists ? "Mend it" : "Restore it";
  return new IsotorchError(
    exists ? "ENVIRONMENT_BROKEN" : "ENVIRONMENT_NOT_FOUND",
    `${lostSentence(lost)} No other Python was taken in its place: its answers could differ.`,
    { hint: `${installing(python, reason, condaPrefix) ?? restore}, or ${CHOOSE_AGAIN}` },
  );
}

/** A record that names no interpreter: which one it was, nobody can tell. */
export function damagedError(file: string): IsotorchError {
  return new IsotorchError(
    "ENVIRONMENT_NOT_FOUND",
    `${damagedSentence(file)} No other Python was taken: its answers could differ.`,
    { hint: CHOOSE_AGAIN.replace(/^r/, "R") },
  );
}

/** What is wrong with a record that names no interpreter: a sentence. */
export function damagedSentence(file: string): string {
  return `The record of \`isotorch setup\` is damaged and names no Python: ${file}.`;
}

/** What conda calls packages that Python or pip know by other names. */
const CONDA_NAMES: Readonly<Record<string, string>> = {
  torch: "pytorch",
  PIL: "pillow",
  zmq: "pyzmq",
  msgpack: "msgpack-python",
};

/**
 * The command that installs what a Python lacks; `undefined` where something else is wrong with it.
 *
 * @param condaPrefix the prefix of an environment that conda made, into which pip would put things behind its back.
 */
export function installing(
  python: string,
  reason: string,
  condaPrefix: string | undefined,
): string | undefined {
  const missing = /^Python \S+ without ([\w, ]+?)(?: \(|$)/.exec(reason)?.[1]?.split(", ");
  if (!missing) return undefined;
  const words =
    condaPrefix === undefined
      ? `${python} -m pip install torch torchvision pyzmq msgpack pillow numpy`
      : [
          `conda install -y -p ${quoted(condaPrefix)} --override-channels -c conda-forge`,
          ...missing.map((name) => CONDA_NAMES[name] ?? name),
        ].join(" ");
  return `Install what is missing with \`${words}\``;
}

/** The day on which a file was written, such as `2026-11-26` in UTC; empty where there is none. */
export async function dayOf(file: string): Promise<string> {
  const found = await stat(file).catch(() => undefined);
  return found ? found.mtime.toISOString().slice(0, 10) : "";
}
