import { shown } from "../base/text/shown.ts";
import { readFile } from "node:fs/promises";
import { IsotorchError, messageOf } from "../base/errors.ts";
import { readJson, writeJson } from "../base/files/files.ts";
import { configDirectory, type Surroundings } from "./surroundings.ts";

/** The environment that `isotorch setup` chose, as it stands in `environment.json`. */
export interface RecordedEnvironment {
  /** Absolute path of the interpreter. */
  readonly python: string;
  readonly prefix: string;
  /** How it came about: `found`, `apt`, `venv` or `conda`. */
  readonly via: string;
}

/** The file that holds the recorded environment. */
export function recordFile(at: Surroundings): string {
  return at.path.join(configDirectory(at), "environment.json");
}

/** The recorded environment; `undefined` where none was recorded or the file cannot be understood. */
export async function readRecord(at: Surroundings): Promise<RecordedEnvironment | undefined> {
  const { python, prefix, via } = await readJson(recordFile(at));
  if (typeof python !== "string" || !at.path.isAbsolute(python)) return undefined;
  return {
    python,
    prefix: typeof prefix === "string" ? prefix : "",
    via: typeof via === "string" ? via : "found",
  };
}

/** Whether there is a record that names no interpreter. One that may not be read is somebody else's, and does not count. */
export async function isRecordDamaged(at: Surroundings): Promise<boolean> {
  const text = await readFile(recordFile(at), "utf8").catch(() => undefined);
  return text !== undefined && (await readRecord(at)) === undefined;
}

/**
 * Records an environment for every later run; another process sees the old file or the new one, never half of it.
 * Rejects with `SETUP_FAILED` and the path if it cannot be written.
 */
export async function writeRecord(record: RecordedEnvironment, at: Surroundings): Promise<void> {
  const file = recordFile(at);
  try {
    await writeJson(file, record);
  } catch (cause) {
    throw new IsotorchError(
      "SETUP_FAILED",
      `The environment could not be recorded in ${shown(file)}: ${messageOf(cause)}`,
      {
        hint: `Set ISOTORCH_CONFIG_DIR to a directory that can be written, or use it without a record: ISOTORCH_PYTHON=${record.python}`,
        cause,
      },
    );
  }
}
