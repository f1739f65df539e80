/** What somebody writes, for somebody who reads by `for await`. */
import { IsotorchError, abortError } from "../errors.ts";

/**
 * Runs `work` once the first item is asked for, and gives what it writes, in its order. Whoever stops reading before the end
 * aborts it.
 *
 * @param caller aborts `work` as well.
 * @throws what `work` throws, behind the items that were written before.
 */
export async function* written<T>(
  work: (write: (item: T) => void, signal: AbortSignal) => Promise<void>,
  caller?: AbortSignal,
): AsyncGenerator<T, void, undefined> {
  const ender = new AbortController();
  const onAbort = (): void => ender.abort(caller && abortError(caller));
  caller?.addEventListener("abort", onAbort, { once: true });
  if (caller?.aborted === true) onAbort();
  const items: T[] = [];
  let outcome: { readonly failure?: unknown } | undefined;
  let wake = (): void => undefined;
  const write = (item: T): void => {
    items.push(item);
    wake();
  };
  const end = (how: { readonly failure?: unknown }): void => {
    outcome = how;
    wake();
  };
  work(write, ender.signal).then(
    () => end({}),
    (failure: unknown) => end({ failure }),
  );
  try {
    for (;;) {
      if (items.length > 0) yield items.shift() as T;
      else if (outcome === undefined) await new Promise<void>((resolve) => (wake = resolve));
      else if ("failure" in outcome) throw outcome.failure;
      else return;
    }
  } finally {
    caller?.removeEventListener("abort", onAbort);
    if (outcome === undefined) ender.abort(new IsotorchError("ABORTED", "Nobody reads the answer any more."));
  }
}

/** The last item: the whole answer, where it has one part. */
export async function lastOf<T>(items: AsyncIterable<T>): Promise<T> {
  let last: { readonly item: T } | undefined;
  for await (const item of items) last = { item };
  if (last === undefined) throw new Error("an answer without parts");
  return last.item;
}
