/** Runs one of this package's Python scripts to its end: bytes in, one JSON object out. */
import { buffer } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { Child } from "../../base/child.ts";
import { IsotorchError, abortError, messageOf } from "../../base/errors.ts";
import { findEnvironment } from "../../python/environment.ts";
import { lastWords } from "../../base/status.ts";
import { excerpt, shown } from "../../base/text/shown.ts";
import { printedRecord } from "../../python/answer.ts";
import { scriptArguments } from "../../python/script.ts";

/** Which script runs, and on what. */
export interface ScriptCall {
  /** Its name in `python/`. */
  readonly script: "tutorial_check.py" | "as_written.py";
  readonly args?: readonly string[];
  /** Written to its standard input. */
  readonly input: Uint8Array | string;
  /** The interpreter that the worker ran on. */
  readonly python: string;
  readonly signal?: AbortSignal | undefined;
}

/**
 * @returns the JSON object that the script printed.
 * @throws IsotorchError `WORKER_ERROR` with the script's traceback, `WORKER_START_FAILED` or `ABORTED`.
 */
export async function runScript(call: ScriptCall): Promise<Readonly<Record<string, unknown>>> {
  const { script, args = [], input, signal } = call;
  const environment = await findEnvironment({ python: call.python, ...(signal && { signal }) });
  const path = fileURLToPath(new URL(`../../../python/${script}`, import.meta.url));
  const child = Child.start("pipes", environment.python, scriptArguments(path, ...args), {
    env: { ...process.env, ...environment.variables },
    ...(signal && { signal }),
  });
  const stdout = buffer(child.stdout).catch(() => new Uint8Array());
  child.stdin.end(input);
  const { code, signal: killedBy, error } = await child.closed;
  if (signal?.aborted === true) throw abortError(signal);
  if (error !== undefined) {
    const message = `${shown(script)} cannot be started: ${messageOf(error)}.`;
    throw new IsotorchError("WORKER_START_FAILED", message, { cause: error });
  }
  if (code === 0) {
    const printed = printedRecord(await stdout);
    if (printed.record) return printed.record;
    throw new IsotorchError("PROTOCOL_ERROR", `${shown(script)} answered wrongly: ${printed.broken}.`);
  }
  const traceback = child.words.text.trim();
  throw new IsotorchError(
    "WORKER_ERROR",
    `${shown(script)} failed: ${killedBy ?? excerpt(lastWords(traceback, code))}.`,
    {
      traceback,
      hint: "`isotorch doctor` looks at this Python.",
    },
  );
}

/** float32 values that crossed as base64 of their little-endian bytes. */
export function floatsFrom(base64: unknown): Float32Array {
  if (typeof base64 !== "string")
    throw new IsotorchError("PROTOCOL_ERROR", "The script answered no numbers.");
  const bytes = Buffer.from(base64, "base64");
  return Float32Array.from({ length: bytes.length / 4 }, (_, at) => bytes.readFloatLE(at * 4));
}
