/** Work that ends with its call's limits, whether it hears of them or not. */
import { outOfMemory } from "../memory.ts";
import { Limits } from "./limits.ts";
import { IsotorchError, abortError } from "../errors.ts";

/**
 * Runs `work` with a signal that fires on the caller's abort, when the call is abandoned, or after `timeoutMs` (0 = never).
 *
 * @throws IsotorchError `ABORTED` or `DEADLINE_EXCEEDED` once the signal has fired, whatever `work` threw;
 * `OUT_OF_MEMORY` where the system gave `work` no memory.
 */
export async function withinDeadline<T>(
  {
    signal: caller,
    abandoned,
    timeoutMs,
  }: { readonly signal?: AbortSignal; readonly abandoned?: AbortSignal; readonly timeoutMs: number },
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const limits = new Limits({ signal: caller, abandoned, timeoutMs, overdue });
  const { signal } = limits;
  try {
    signal.throwIfAborted();
    return await Promise.race([work(signal), aborted(signal)]);
  } catch (error) {
    throw signal.aborted ? abortError(signal) : (outOfMemory(error) ?? error);
  } finally {
    limits.release();
  }
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
  });
}

function overdue(timeoutMs: number): IsotorchError {
  return new IsotorchError("DEADLINE_EXCEEDED", `No answer within ${timeoutMs} ms.`, {
    hint: "Raise `timeoutMs`, or send fewer pictures at a time.",
  });
}
