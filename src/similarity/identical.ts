/** Which files are the same to the last byte. */
import { abortError } from "../base/errors.ts";
import { hashFile } from "../checkpoints/download.ts";

export interface Identical {
  /** For a file that is the same as one before it, that one's place. */
  readonly firsts: ReadonlyMap<number, number>;
  /** Files that could not be read again, so that nobody knows. */
  readonly unread: number;
}

/**
 * Compares files by their SHA-256. What is no file, such as an address, is the same as nothing.
 *
 * @param files by their places, in their order.
 */
export async function identicalAmong(
  files: Iterable<readonly [at: number, name: string]>,
  signal?: AbortSignal,
): Promise<Identical> {
  const seen = new Map<string, number>();
  const firsts = new Map<number, number>();
  let unread = 0;
  for (const [at, name] of files) {
    if (/^(?:https?|data):/i.test(name) || name === "-") continue;
    const digest = await hashFile(name, signal).catch(() => undefined);
    if (signal?.aborted === true) throw abortError(signal);
    if (digest === undefined) {
      unread += 1;
      continue;
    }
    const first = seen.get(digest);
    if (first === undefined) seen.set(digest, at);
    else firsts.set(at, first);
  }
  return { firsts, unread };
}
