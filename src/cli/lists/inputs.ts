/** From what stands on the command line to pictures: files, patterns, folders, stdin; one at a time. */
import { stat } from "node:fs/promises";
import { IsotorchError, messageOf } from "../../base/errors.ts";
import { pathOf } from "../../base/text/names.ts";
import { shown } from "../../base/text/shown.ts";
import type { ImageInput } from "../../image/source/source.ts";
import { filesUnder, isPictureName, PassedOver } from "../../parity/eval/walk.ts";
import { readStdin } from "./stdin.ts";

/** A picture with the name under which its answer is shown, or why there is none. */
export type Named =
  | { readonly name: string; readonly image: ImageInput }
  | { readonly name: string; readonly error: IsotorchError };

/**
 * The pictures that an argument stands for. The signal ends waiting for stdin.
 *
 * @param passed counts what is passed over in folders and by patterns.
 */
export async function* picturesOf(
  argument: string,
  signal?: AbortSignal,
  passed: PassedOver = new PassedOver(),
): AsyncGenerator<Named, void, undefined> {
  if (argument === "-") {
    signal?.addEventListener("abort", () => process.stdin.destroy(), { once: true });
    return yield { name: argument, image: readStdin() };
  }
  if (/^(https?|file|data):/i.test(argument)) return yield { name: argument, image: argument };
  const facts = await stat(pathOf(argument)).catch(() => undefined);
  // A file may be called a[1].jpg: what is there is meant, and a pattern is what is not there.
  if (facts === undefined) {
    const { isPattern, filesMatching } = await import("./patterns.ts");
    if (isPattern(argument))
      return yield* found(argument, filesMatching(argument, passed), `No file matches ${shown(argument)}.`);
  }
  if (facts?.isDirectory() !== true) return yield { name: argument, image: argument };
  yield* found(argument, picturesUnder(argument, passed), `There is no picture in ${shown(argument)}.`);
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
    const message = `${shown(argument)} cannot be searched: ${messageOf(cause)}`;
    return yield { name: argument, error: new IsotorchError("INPUT_UNREADABLE", message, { cause }) };
  }
  if (!any) yield { name: argument, error: new IsotorchError("INPUT_NOT_FOUND", nothing) };
}

async function* picturesUnder(folder: string, passed: PassedOver): AsyncGenerator<string, void, undefined> {
  for await (const file of filesUnder(folder)) if (!passed.add(file) && isPictureName(file)) yield file;
}
