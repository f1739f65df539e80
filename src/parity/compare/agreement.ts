/** The end of the ladder: do both sides name the same classes, and how near was it to naming others. */

export interface Agreement {
  /** The best class is the same. */
  readonly top1: boolean;
  /** The five best classes are the same, in any order. */
  readonly top5Set: boolean;
  /** The five best classes are the same, in the same order. */
  readonly top5Order: boolean;
}

/** Compares two orders of class indices, best first. */
export function agreementOf(ours: ArrayLike<number>, reference: ArrayLike<number>): Agreement {
  const ourFive = Array.from(ours).slice(0, 5);
  const theirFive = Array.from(reference).slice(0, 5);
  return {
    top1: ourFive[0] === theirFive[0],
    top5Set: ourFive.toSorted(ascending).join() === theirFive.toSorted(ascending).join(),
    top5Order: ourFive.join() === theirFive.join(),
  };
}

/** Where the best classes come nearest to changing places. */
export interface NearTie {
  /** The gap is between this rank and the next; 1 is the best class. */
  readonly rank: number;
  /** Class indices of the two. */
  readonly classes: readonly [number, number];
  /** Difference of their values. */
  readonly gap: number;
  /** How far each of the two must drift towards the other to swap: half the gap. */
  readonly drift: number;
}

/**
 * The smallest gap between neighbours among the `k + 1` best classes, because that is where drift changes the first `k`.
 *
 * @returns `null` where there are fewer than two classes or a gap is no number.
 */
export function nearTieOf(values: ArrayLike<number>, order: ArrayLike<number>, k = 5): NearTie | null {
  const best = Array.from(order).slice(0, k + 1);
  let nearest: NearTie | null = null;
  for (let rank = 1; rank < best.length; rank++) {
    const classes = [best[rank - 1]!, best[rank]!] as const;
    const gap = (values[classes[0]] ?? Number.NaN) - (values[classes[1]] ?? Number.NaN);
    if (Number.isNaN(gap)) return null;
    if (nearest === null || gap < nearest.gap) nearest = { rank, classes, gap, drift: gap / 2 };
  }
  return nearest;
}

function ascending(a: number, b: number): number {
  return a - b;
}
