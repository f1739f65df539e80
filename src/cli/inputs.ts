/** From what stands on the command line to pictures: files, patterns, folders, lists, stdin; one at a time. */
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { IsotorchError, messageOf } from "../errors.ts";
import type { ImageInput } from "../image/source.ts";
import { filesUnder, isPictureName } from "../parity/walk.ts";
import { readStdin } from "./stdin.ts";

/** Characters of one entry of a list; a data: URL may be long. */
const LONGEST_ENTRY = 32 * 1024 * 1024;

/** A picture with the name under which its answer is shown, or why there is none. */
export type Named =
  | { readonly name: string; readonly image: ImageInput }
  | { readonly name: string; readonly error: IsotorchError };

/** The pictures that an argument stands for. The signal ends waiting for stdin. */
export async function* picturesOf(
  argument: string,
  signal?: AbortSignal,
): AsyncGenerator<Named, void, undefined> {
  if (argument === "-") {
    signal?.addEventListener("abort", () => process.stdin.destroy(), { once: true });
    return yield { name: argument, image: readStdin() };
  }
  if (/^(https?|file|data):/i.test(argument)) return yield { name: argument, image: argument };
  const facts = await stat(argument).catch(() => undefined);
  // A file may be called a[1].jpg: what is there is meant, and a pattern is what is not there.
  if (facts === undefined) {
    const { isPattern, filesMatching } = await import("./patterns.ts");
    if (isPattern(argument))
      return yield* found(argument, filesMatching(argument), `No file matches ${argument}.`);
  }
  if (facts?.isDirectory() !== true) return yield { name: argument, image: argument };
  yield* found(argument, picturesUnder(argument), `There is no picture in ${argument}.`);
}

/** What a search found; a search without finds, or that breaks off, is told under its own name. */
async function* found(
  argument: string,
  files: AsyncIterable<string>,
  nothing: string,
): AsyncGenerator<Named, void, undefined> {
  let any = false;
  try {
    for await (const file of files) {
      any = true;
      yield { name: file, image: file };
    }
  } catch (cause) {
    const message = `${argument} cannot be searched: ${messageOf(cause)}`;
    return yield { name: argument, error: new IsotorchError("INPUT_UNREADABLE", message, { cause }) };
  }
  if (!any) yield { name: argument, error: new IsotorchError("INPUT_NOT_FOUND", nothing) };
}

async function* picturesUnder(folder: string): AsyncGenerator<string, void, undefined> {
  for await (const file of filesUnder(folder)) if (isPictureName(file)) yield file;
}

/**
 * The entries of a list, as they come: one per line, or each ended by NUL. Empty lines are passed over.
 *
 * @param file its path; `-` is stdin.
 * @param signal ends it, also while the next entry is waited for.
 * @throws IsotorchError `INPUT_NOT_FOUND`, `INPUT_UNREADABLE`, `INVALID_INPUT` for NUL in a list of lines.
 */
export async function* listed(
  file: string,
  isNul: boolean,
  signal?: AbortSignal,
): AsyncGenerator<Named, void, undefined> {
  const source = file === "-" ? process.stdin : createReadStream(file);
  signal?.addEventListener("abort", () => source.destroy(), { once: true });
  const end = isNul ? "\0" : "\n";
  let rest = "";
  try {
    for await (const chunk of source.setEncoding("utf8") as AsyncIterable<string>) {
      const entries = `${rest}${chunk}`.split(end);
      rest = entries.pop() ?? "";
      for (const entry of entries) yield* entryOf(entry, isNul);
      if (rest.length > LONGEST_ENTRY)
        throw new IsotorchError("INVALID_INPUT", `The list ${file} has no end of line.`);
    }
  } catch (cause) {
    if (cause instanceof IsotorchError) throw cause;
    if (signal?.aborted) return;
    const code = (cause as NodeJS.ErrnoException).code === "ENOENT" ? "INPUT_NOT_FOUND" : "INPUT_UNREADABLE";
    throw new IsotorchError(code, `The list ${file} cannot be read: ${messageOf(cause)}`, { cause });
  }
  yield* entryOf(rest, isNul);
}

function* entryOf(entry: string, isNul: boolean): Generator<Named, void, undefined> {
  const name = isNul ? entry : entry.replace(/\r$/, "");
  if (name.includes("\0")) {
    throw new IsotorchError("INVALID_INPUT", "The list has NUL characters in it.", {
      hint: "Say --null where its entries end with NUL, as those of find -print0 do.",
    });
  }
  if (name !== "") yield { name, image: name };
}
