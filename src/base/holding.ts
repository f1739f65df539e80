/** Keeps the program alive while there is something to wait for. */

/** Milliseconds between two looks of a timer that does nothing. */
const LONG_MS = 2 ** 30;

/** Holds the program open by a timer of its own, so that whatever it waits for need not. */
export class Holding {
  #open = 0;
  #timer: NodeJS.Timeout | undefined;

  /** Waits for a promise. */
  async until<T>(settled: Promise<T>): Promise<T> {
    this.#open += 1;
    this.#timer ??= setInterval(() => undefined, LONG_MS);
    try {
      return await settled;
    } finally {
      this.#open -= 1;
      if (this.#open === 0) {
        clearInterval(this.#timer);
        this.#timer = undefined;
      }
    }
  }
}
