/** What a program printed, read as data: bytes that are not UTF-8, or no JSON, are no answer, never a mended one. */
import { isUtf8 } from "node:buffer";
import { messageOf } from "../base/errors.ts";
import { isRecord } from "../base/files/json.ts";

/** A JSON object whose values are still to be checked, or why there is none: one clause. */
export type Printed =
  | { readonly record: Readonly<Record<string, unknown>> }
  | { readonly record: undefined; readonly broken: string };

/**
 * The last line that begins as a JSON object does: site customisations may print before it, and whatever ends with the
 * process after it.
 */
export function printedRecord(bytes: Uint8Array): Printed {
  // Latin-1 has a character for every byte, so that lines can be told apart before anything is decoded.
  const lines = Buffer.from(bytes).toString("latin1").split(/\r?\n/);
  const line = lines.findLast((text) => text.startsWith("{"));
  return line === undefined ? broken("it printed no JSON") : recordIn(Buffer.from(line, "latin1"));
}

/** The same for one line. */
export function recordIn(line: Uint8Array): Printed {
  if (!isUtf8(line)) return broken("what it printed is not UTF-8");
  try {
    const record: unknown = JSON.parse(Buffer.from(line).toString("utf8"));
    return isRecord(record) ? { record } : broken("what it printed is no JSON object");
  } catch (error) {
    return broken(`what it printed is not JSON (${messageOf(error)})`);
  }
}

function broken(reason: string): Printed {
  return { record: undefined, broken: reason };
}
