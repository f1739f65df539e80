/** How many requests, and how many bytes of bodies, are taken in at a time. */
import { after } from "../../base/time/timer.ts";
import { IsotorchError } from "../../base/errors.ts";

export interface AdmissionLimits {
  readonly maxRequests: number;
  readonly maxBytes: number;
}

/** The place that one request takes up, until everything that holds it has ended. */
export interface Room {
  /** Takes so many bytes more. @throws IsotorchError `QUEUE_FULL` */
  grow(bytes: number): void;
  /** Keeps the room until the work has ended, however. */
  until(work: Promise<unknown>): void;
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

  /** Bytes of bodies that are here, or were promised. */
  get bytes(): number {
    return this.#bytes;
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  /**
   * Takes a request in, until `ended` and whatever else its room is given to are settled.
   *
   * @throws IsotorchError `QUEUE_FULL`, or `CLOSED` while the server drains.
   */
  enter(bytes: number, ended: Promise<unknown>): Room {
    if (this.#closed)
      throw new IsotorchError("CLOSED", "The server is shutting down.", { hint: "Ask another one." });
    if (this.#requests >= this.#limits.maxRequests || !this.#has(bytes, this.#requests)) throw full();
    this.#requests += 1;
    this.#bytes += bytes;
    let [taken, holds] = [bytes, 0];
    const release = (): void => {
      holds -= 1;
      if (holds > 0) return;
      this.#requests -= 1;
      this.#bytes -= taken;
      if (this.#requests === 0) this.#empty?.();
    };
    const room: Room = {
      grow: (more) => {
        if (!this.#has(more, this.#requests - 1)) throw full();
        taken += more;
        this.#bytes += more;
      },
      until: (work) => {
        holds += 1;
        work.then(release, release);
      },
    };
    room.until(ended);
    return room;
  }

  /** Alone, a request may be larger than all together. */
  #has(bytes: number, others: number): boolean {
    return others === 0 || this.#bytes + bytes <= this.#limits.maxBytes;
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

function full(): IsotorchError {
  return new IsotorchError("QUEUE_FULL", "The server has as many requests as it takes at a time.", {
    retryAfterMs: 1_000,
  });
}
