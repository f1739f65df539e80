/** Where the time of all calls went: a histogram per stage, cheap enough to be always on. */

/** Upper bounds of the buckets, milliseconds; one more bucket takes what is longer. */
export const BOUNDS_MS: readonly number[] = [
  0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 30_000,
];

/** How long one stage took, over all calls so far. */
export interface Histogram {
  readonly count: number;
  /** Milliseconds. */
  readonly sumMs: number;
  readonly maxMs: number;
  /** Milliseconds, interpolated within their bucket of {@link boundsMs}. */
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  /** Upper bounds of the buckets, milliseconds. */
  readonly boundsMs: readonly number[];
  /** Calls per bucket, not cumulative; the last one has no bound. */
  readonly counts: readonly number[];
}

/** Histograms by stage: `total`, `read`, `decode`, `preprocess`, `worker`, and the worker's own. */
export class StageTimes {
  readonly #stages = new Map<string, Bucketed>();

  /** @param laps milliseconds by stage. */
  record(laps: Readonly<Record<string, number>>): void {
    for (const name of Object.keys(laps)) {
      const stage = this.#stages.get(name) ?? new Bucketed();
      this.#stages.set(name, stage);
      stage.add(laps[name] ?? 0);
    }
  }

  snapshot(): Readonly<Record<string, Histogram>> {
    return Object.fromEntries([...this.#stages].map(([name, stage]) => [name, stage.snapshot()]));
  }
}

class Bucketed {
  readonly #counts: number[] = Array.from({ length: BOUNDS_MS.length + 1 }, () => 0);
  #count = 0;
  #sum = 0;
  #max = 0;

  add(ms: number): void {
    let bucket = 0;
    while (bucket < BOUNDS_MS.length && ms > (BOUNDS_MS[bucket] ?? 0)) bucket += 1;
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
    this.#count += 1;
    this.#sum += ms;
    this.#max = Math.max(this.#max, ms);
  }

  snapshot(): Histogram {
    return {
      count: this.#count,
      sumMs: this.#sum,
      maxMs: this.#max,
      p50: this.#quantile(0.5),
      p95: this.#quantile(0.95),
      p99: this.#quantile(0.99),
      boundsMs: BOUNDS_MS,
      counts: [...this.#counts],
    };
  }

  #quantile(share: number): number {
    const rank = share * this.#count;
    let below = 0;
    for (const [bucket, count] of this.#counts.entries()) {
      if (count > 0 && below + count >= rank) {
        const from = BOUNDS_MS[bucket - 1] ?? 0;
        const to = Math.min(BOUNDS_MS[bucket] ?? this.#max, this.#max);
        return from + (Math.max(0, to - from) * (rank - below)) / count;
      }
      below += count;
    }
    return 0;
  }
}
