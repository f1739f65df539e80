/** What may end a call before its answer: its caller, whoever gave it up, and time. As one AbortSignal. */
import { onAborted } from "../async/aborts.ts";
import type { IsotorchError } from "../errors.ts";
import { type Timer, after } from "./timer.ts";

export interface LimitOptions {
  readonly signal?: AbortSignal | undefined;
  readonly abandoned?: AbortSignal | undefined;
  /** Milliseconds without a sign of progress; 0 = as long as it takes. */
  readonly timeoutMs: number;
  /** What a call that takes longer ends with. */
  readonly overdue: (timeoutMs: number) => IsotorchError;
}

export class Limits {
  readonly #controller = new AbortController();
  readonly #options: LimitOptions;
  readonly #leave: (() => void)[];
  #timer: Timer | undefined;

  constructor(options: LimitOptions) {
    this.#options = options;
    const enders = [options.signal, options.abandoned].filter((ender) => ender !== undefined);
    const fired = enders.find(({ aborted }) => aborted);
    if (fired !== undefined) this.#controller.abort(fired.reason);
    this.#leave = enders.map((ender) => onAborted(ender, () => this.#controller.abort(ender.reason)));
    this.progress();
  }

  /** Fires with the reason once any of them is reached. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** No time counts until there is progress again: whoever is waited for now is the caller. */
  pause(): void {
    this.#timer?.cancel();
  }

  /** The time counts anew. */
  progress(): void {
    this.#timer?.cancel();
    const { timeoutMs, overdue } = this.#options;
    if (timeoutMs > 0) this.#timer = after(timeoutMs, () => this.#controller.abort(overdue(timeoutMs)));
  }

  /** Ends the listening. */
  release(): void {
    this.#timer?.cancel();
    for (const leave of this.#leave) leave();
  }
}
