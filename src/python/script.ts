/** How Python is started: every interpreter that this package runs gets its flags here. */
import { fileURLToPath } from "node:url";

/** The worker's entry file; it runs as a plain script by its path, so that `-I` keeps everything else out. */
export const WORKER_SCRIPT: string = fileURLToPath(
  new URL("../../python/isotorch_worker/__main__.py", import.meta.url),
);

/**
 * Python's UTF-8 mode (3.7 and later). Without it Python writes to its pipes, and decodes its arguments, in the code
 * page of Windows or the locale's encoding. Files that are opened without an encoding are read as UTF-8 too; no number
 * depends on it.
 */
export const UTF8_MODE: readonly string[] = ["-X", "utf8"];

/** The same as a variable, for a Python that starts others, as pip does. */
export const UTF8_FOR_ALL: Readonly<Record<string, string>> = { PYTHONUTF8: "1" };

/** Arguments of an interpreter that runs a script alone: nothing of the user's, no buffering, UTF-8. */
export function scriptArguments(script: string, ...words: readonly string[]): string[] {
  return ["-I", ...UTF8_MODE, "-u", script, ...words];
}
