/** Laps of one call, for `include: { timings: true }`. */
export class Stopwatch {
  readonly laps: Record<string, number> = {};
  #last = performance.now();

  /** Milliseconds since the lap before, under this name. */
  lap(name: string): void {
    const now = performance.now();
    this.laps[name] = now - this.#last;
    this.#last = now;
  }
}
