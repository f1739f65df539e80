/** Values counted in buckets, cheap enough to be always on; and where the time of all calls went, a histogram per stage. */

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
  readonly #stages = new Map<string, Buckets>();

  /** @param laps milliseconds by stage. */
  record(laps: Readonly<Record<string, number>>): void {
    for (const name of Object.keys(laps)) {
      const stage = this.#stages.get(name) ?? new Buckets(BOUNDS_MS);
      this.#stages.set(name, stage);
      stage.add(laps[name] ?? 0);
    }
  }

  snapshot(): Readonly<Record<string, Histogram>> {
    return Object.fromEntries([...this.#stages].map(([name, stage]) => [name, histogramOf(stage)]));
  }
}

export class Buckets {
  readonly bounds: readonly number[];
  /** Values per bucket, not cumulative; the last one has no bound. */
  readonly counts: number[];
  count = 0;
  sum = 0;
  max = 0;

  /** @param bounds upper bounds, ascending. */
  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.counts = Array.from({ length: bounds.length + 1 }, () => 0);
  }

  add(value: number): void {
    let bucket = 0;
    while (bucket < this.bounds.length && value > (this.bounds[bucket] ?? 0)) bucket += 1;
    this.counts[bucket] = (this.counts[bucket] ?? 0) + 1;
    this.count += 1;
    this.sum += value;
    this.max = Math.max(this.max, value);
  }

  /** Interpolated within its bucket; 0 where there is no value. */
  quantile(share: number): number {
    const rank = share * this.count;
    let below = 0;
    for (const [bucket, count] of this.counts.entries()) {
      if (count > 0 && below + count >= rank) {
        const from = this.bounds[bucket - 1] ?? 0;
        const to = Math.min(this.bounds[bucket] ?? this.max, this.max);
        return from + (Math.max(0, to - from) * (rank - below)) / count;
      }
      below += count;
    }
    return 0;
  }
}

function histogramOf(stage: Buckets): Histogram {
  return {
    count: stage.count,
    sumMs: stage.sum,
    maxMs: stage.max,
    p50: stage.quantile(0.5),
    p95: stage.quantile(0.95),
    p99: stage.quantile(0.99),
    boundsMs: stage.bounds,
    counts: [...stage.counts],
  };
}
