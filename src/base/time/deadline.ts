/** One call's limits: its deadline and its caller's signal, as one AbortSignal. */
import { onAborted } from "../async/aborts.ts";
import { outOfMemory } from "../memory.ts";
import { after } from "./timer.ts";
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
  const controller = new AbortController();
  const { signal } = controller;
  const enders = [caller, abandoned].filter((ender) => ender !== undefined);
  const onAbort = (): void => controller.abort(enders.find(({ aborted: fired }) => fired)?.reason);
  if (enders.some(({ aborted: fired }) => fired)) onAbort();
  const forgetting = enders.map((ender) => onAborted(ender, onAbort));
  const overdue = (): void =>
    controller.abort(
      new IsotorchError("DEADLINE_EXCEEDED", `No answer within ${timeoutMs} ms.`, {
        hint: "Raise `timeoutMs`, or send fewer pictures at a time.",
      }),
    );
  const timer = timeoutMs > 0 ? after(timeoutMs, overdue) : undefined;
  try {
    signal.throwIfAborted();
    return await Promise.race([work(signal), aborted(signal)]);
  } catch (error) {
    throw signal.aborted ? abortError(signal) : (outOfMemory(error) ?? error);
  } finally {
    timer?.cancel();
    for (const forget of forgetting) forget();
  }
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
  });
}
