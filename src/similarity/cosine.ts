/**
 * The cosine of two vectors, in float64:
 *
 *     cos(a, b) = (Σ aᵢ bᵢ) / √(Σ aᵢ² · Σ bᵢ²)
 *
 * Each sum is taken from the first element to the last, one after the other, so that the same vectors give the same bits on every
 * machine. No square of a float32 leaves the range of float64, and √(x · x) is x there: a vector and itself have exactly 1.
 */

/** Σ aᵢ bᵢ of two vectors of the same length. */
export function dot(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let at = 0; at < a.length; at += 1) sum += a[at]! * b[at]!;
  return sum;
}

/**
 * The cosine, -1 to 1, of two vectors whose sums of squares are known.
 *
 * @returns undefined where one of them is all zeros: it has no direction, and is like nothing.
 */
export function cosineOf(
  a: Float32Array,
  b: Float32Array,
  squares: readonly [ofA: number, ofB: number],
): number | undefined {
  const [ofA, ofB] = squares;
  if (ofA === 0 || ofB === 0) return undefined;
  return Math.max(-1, Math.min(1, dot(a, b) / Math.sqrt(ofA * ofB)));
}
