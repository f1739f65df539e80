/** Laps of one call, for `include: { timings: true }`. */
export class Stopwatch {
  readonly laps: Record<string, number> = {};
  readonly #start = performance.now();
  #last = this.#start;

  /** Milliseconds from the start to the last lap. */
  get total(): number {
    return this.#last - this.#start;
  }

  /** Milliseconds since the lap before, under this name. */
  lap(name: string): void {
    const now = performance.now();
    this.laps[name] = now - this.#last;
    this.#last = now;
  }
}
