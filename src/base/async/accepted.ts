/** Calls that were accepted: each one is finished, also when whoever takes them is closed meanwhile. */
import { setMaxListeners } from "node:events";
import { after } from "../time/timer.ts";
import { withResolvers } from "./resolvers.ts";
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
    const end = this.open();
    try {
      return await call();
    } finally {
      end();
    }
  }

  /** Accepts a call. @returns what ends it. @throws IsotorchError `CLOSED` */
  open(): () => void {
    if (this.#closed) throw closedError();
    const { promise, resolve } = withResolvers<void>();
    this.#open.add(promise);
    return () => {
      this.#open.delete(promise);
      resolve();
    };
  }

  /** Accepts nothing more, and resolves when what was accepted is finished or has been given up after `drainMs`. */
  async drain(drainMs: number): Promise<void> {
    this.#closed = true;
    const timer = after(drainMs, () => this.#abandoned.abort(closedError()));
    await Promise.allSettled(this.#open);
    timer.cancel();
  }
}
