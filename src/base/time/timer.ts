/** Timers of any length: Node's own fire at once beyond 2³¹ − 1 milliseconds, about 24.8 days. */

/** The longest that Node's own timers take, milliseconds. */
const LONGEST_MS = 2 ** 31 - 1;

/** A timer that runs. */
export interface Timer {
  /** Harmless after it has fired. */
  cancel(): void;
}

/**
 * Calls `action` once after so many milliseconds; never for `Infinity`, which keeps no process alive either.
 *
 * @param holds whether it keeps the process alive until then. @default true
 */
export function after(ms: number, action: () => void, holds = true): Timer {
  let timer: NodeJS.Timeout | undefined;
  const arm = (left: number): void => {
    const step = Math.min(left, LONGEST_MS);
    timer = setTimeout(() => (step < left ? arm(left - step) : action()), step);
    if (!holds) timer.unref();
  };
  if (ms !== Infinity) arm(Math.max(0, ms));
  return { cancel: () => clearTimeout(timer) };
}
