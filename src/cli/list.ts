/** A list of pictures that somebody wrote: its entries, as they come. */
import { createReadStream } from "node:fs";
import { IsotorchError, messageOf } from "../errors.ts";
import type { Named } from "./inputs.ts";

/** Characters of one entry of a list; a data: URL may be long. */
const LONGEST_ENTRY = 32 * 1024 * 1024;

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
