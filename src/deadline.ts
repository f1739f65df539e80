/** One call's limits: its deadline and its caller's signal, as one AbortSignal. */
import { outOfMemory } from "./base/memory.ts";
import { IsotorchError, abortError } from "./errors.ts";

/**
 * Runs `work` with a signal that fires on the caller's abort or after `timeoutMs` (0 = never).
 *
 * @throws IsotorchError `ABORTED` or `DEADLINE_EXCEEDED` once the signal has fired, whatever `work` threw;
 * `OUT_OF_MEMORY` where the system gave `work` no memory.
 */
export async function withinDeadline<T>(
  { signal: caller, timeoutMs }: { readonly signal?: AbortSignal; readonly timeoutMs: number },
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  const { signal } = controller;
  const onAbort = (): void => controller.abort(caller?.reason);
  if (caller?.aborted === true) onAbort();
  caller?.addEventListener("abort", onAbort, { once: true });
  const overdue = (): void =>
    controller.abort(
      new IsotorchError("DEADLINE_EXCEEDED", `No answer within ${timeoutMs} ms.`, {
        hint: "Raise `timeoutMs`, or send fewer pictures at a time.",
      }),
    );
  const timer = timeoutMs > 0 ? setTimeout(overdue, timeoutMs) : undefined;
  try {
    signal.throwIfAborted();
    return await Promise.race([work(signal), aborted(signal)]);
  } catch (error) {
    throw signal.aborted ? abortError(signal) : (outOfMemory(error) ?? error);
  } finally {
    clearTimeout(timer);
    caller?.removeEventListener("abort", onAbort);
  }
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
  });
}
