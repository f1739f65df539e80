/** How many requests, and how many bytes of bodies, are taken in at a time. */
import { after } from "../../base/timer.ts";
import { IsotorchError } from "../../errors.ts";

export interface AdmissionLimits {
  readonly maxRequests: number;
  readonly maxBytes: number;
}

export class Admission {
  readonly #limits: AdmissionLimits;
  #requests = 0;
  #bytes = 0;
  #closed = false;
  #empty: (() => void) | undefined;

  constructor(limits: AdmissionLimits) {
    this.#limits = limits;
  }

  /** Requests that are being answered. */
  get requests(): number {
    return this.#requests;
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  /**
   * Takes a request in.
   *
   * @returns what lets it go again; idempotent.
   * @throws IsotorchError `QUEUE_FULL`, or `CLOSED` while the server drains.
   */
  enter(bytes: number): () => void {
    if (this.#closed)
      throw new IsotorchError("CLOSED", "The server is shutting down.", { hint: "Ask another one." });
    const { maxRequests, maxBytes } = this.#limits;
    if (this.#requests >= maxRequests || (this.#requests > 0 && this.#bytes + bytes > maxBytes)) {
      throw new IsotorchError("QUEUE_FULL", "The server has as many requests as it takes at a time.", {
        retryAfterMs: 1_000,
      });
    }
    this.#requests += 1;
    this.#bytes += bytes;
    let left = false;
    return () => {
      if (left) return;
      left = true;
      this.#requests -= 1;
      this.#bytes -= bytes;
      if (this.#requests === 0) this.#empty?.();
    };
  }

  /** Takes nothing more; resolves when what was taken is answered, or after `drainMs`. Idempotent. */
  async drain(drainMs: number): Promise<void> {
    this.#closed = true;
    if (this.#requests === 0) return;
    await new Promise<void>((resolve) => {
      const timer = after(drainMs, resolve);
      this.#empty = () => {
        timer.cancel();
        resolve();
      };
    });
  }
}
