/** Calls that were accepted: each one is finished, also when whoever takes them is closed meanwhile. */
import { setMaxListeners } from "node:events";
import { after } from "../time/timer.ts";
import { closedError } from "../errors.ts";

/** How long a `close()` waits for what was accepted, milliseconds. */
export const DRAIN_MS = 30_000;

export class AcceptedCalls {
  readonly #open = new Set<Promise<unknown>>();
  readonly #abandoned = new AbortController();
  #closed = false;

  constructor() {
    // Every call that is open listens, and that is no leak.
    setMaxListeners(0, this.#abandoned.signal);
  }

  /** Whether nothing more is accepted. */
  get closed(): boolean {
    return this.#closed;
  }

  /** Fires with `CLOSED` when those that are left are given up; each of them listens to it. */
  get abandoned(): AbortSignal {
    return this.#abandoned.signal;
  }

  /** @throws IsotorchError `CLOSED`, or what the call throws. */
  async accept<T>(call: () => Promise<T>): Promise<T> {
    if (this.#closed) throw closedError();
    const running = call();
    this.#open.add(running);
    try {
      return await running;
    } finally {
      this.#open.delete(running);
    }
  }

  /** Accepts nothing more, and resolves when what was accepted is finished or has been given up after `drainMs`. */
  async drain(drainMs: number): Promise<void> {
    this.#closed = true;
    const timer = after(drainMs, () => this.#abandoned.abort(closedError()));
    await Promise.allSettled(this.#open);
    timer.cancel();
  }
}
