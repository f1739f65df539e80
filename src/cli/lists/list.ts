/** A list of pictures that somebody wrote: its entries, as they come. */
import { shown } from "../../base/text/shown.ts";
import { createReadStream } from "node:fs";
import { isNamedPipe } from "../../base/files/files.ts";
import { nameOf } from "../../base/text/names.ts";
import { IsotorchError, messageOf } from "../../base/errors.ts";
import type { Named } from "./inputs.ts";
import { Entries } from "./entry.ts";
import { linesOf } from "./lines.ts";
import type { Line } from "./lines.ts";
import { note } from "../terminal/notes.ts";

/** How a list is read. */
export interface ListOptions {
  /**
   * Its entries end with NUL and are names to the byte, as those of `find -print0`.
   * @default false: a name per line
   */
  readonly isNul?: boolean;
  /** Ends it, also while the next entry is waited for. */
  readonly signal?: AbortSignal;
  /**
   * Hears how it was read, where it does not say that itself.
   * @default a line on stderr
   */
  readonly say?: (sentence: string) => void;
}

/**
 * The entries of a list, as they come; a line at a time is in memory. Empty lines are passed over. What is there is meant
 * as it is written: quotes, blanks, comments, tables and other encodings are thought of where nothing is there.
 *
 * @param file its path; `-` is stdin.
 * @throws IsotorchError `INPUT_NOT_FOUND` where there is none or it names no picture, `INPUT_UNREADABLE`; `BAD_LIST` where it cannot be read any further.
 */
export async function* listed(
  file: string,
  { isNul = false, signal, say = note }: ListOptions = {},
): AsyncGenerator<Named, void, undefined> {
  const isStdin = file === "-";
  if (!isStdin && (await isNamedPipe(file)))
    throw new IsotorchError("INPUT_UNREADABLE", `The list ${shown(file)} is a named pipe.`, {
      hint: "Nobody may ever write to it: give the list on stdin, with --from -.",
    });
  const name = isStdin ? "on stdin" : shown(file);
  const source = isStdin ? process.stdin : createReadStream(file);
  const entries = new Entries({ name, path: isStdin ? undefined : file, say });
  const stop = (): unknown => source.destroy();
  signal?.addEventListener("abort", stop, { once: true });
  let isEmpty = true;
  try {
    for await (const line of linesOf(source, { name, isNul })) {
      const entry = isNul ? toTheByte(line) : await entries.of(line);
      if (entry === undefined) continue;
      isEmpty = false;
      yield entry;
    }
    if (isEmpty && signal?.aborted !== true)
      throw new IsotorchError("INPUT_NOT_FOUND", `The list ${name} names no picture.`, {
        hint: "Give it a path or URL per line.",
      });
  } catch (cause) {
    if (cause instanceof IsotorchError) throw cause;
    if (signal?.aborted) return;
    const code = (cause as NodeJS.ErrnoException).code === "ENOENT" ? "INPUT_NOT_FOUND" : "INPUT_UNREADABLE";
    throw new IsotorchError(code, `The list ${shown(file)} cannot be read: ${messageOf(cause)}`, { cause });
  } finally {
    signal?.removeEventListener("abort", stop);
  }
}

function toTheByte({ text, bytes = new Uint8Array() }: Line): Named | undefined {
  const name = text ?? nameOf(bytes);
  return name === "" ? undefined : { name, image: name };
}
