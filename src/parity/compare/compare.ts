/** Two arrays of one stage, compared value by value and bit by bit. */
import type { Dtype, StageArray } from "./array.ts";
import { ulpDistance } from "./ulp.ts";

export type Comparison = ShapeMismatch | ValueComparison;

/** The arrays cannot be laid over each other. */
export interface ShapeMismatch {
  readonly kind: "shape-mismatch";
  readonly equal: false;
  readonly ours: { readonly dtype: Dtype; readonly shape: readonly number[] };
  readonly reference: { readonly dtype: Dtype; readonly shape: readonly number[] };
}

export interface ValueComparison {
  readonly kind: "values";
  /** No bit differs. */
  readonly equal: boolean;
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  /** Values with at least one differing bit; `-0` and `0` differ, and so do NaNs with other payloads. */
  readonly differing: number;
  readonly total: number;
  /** Flat position of the first differing value; `null` where none differs. */
  readonly first: number | null;
  /** Largest absolute difference; `null` for integers that are names and not amounts. NaN where one side alone is NaN. */
  readonly largest: number | null;
  /** Mean absolute difference over all values. */
  readonly mean: number | null;
  /** Largest distance in float32 steps; `null` for integers. */
  readonly ulp: number | null;
  /** Cosine of the angle between the two, 1 for the same direction; `null` for integers that are names. */
  readonly cosine: number | null;
}

/** Compares ours with the reference's. Pure; nothing is tolerated here. */
export function compareArrays(ours: StageArray, reference: StageArray): Comparison {
  if (ours.dtype !== reference.dtype || ours.shape.join() !== reference.shape.join()) {
    return { kind: "shape-mismatch", equal: false, ours: form(ours), reference: form(reference) };
  }
  const { dtype, shape } = ours;
  const bits = compareBits(bitsOf(ours), bitsOf(reference));
  const amounts = dtype === "<i4" ? NAMES : compareAmounts(ours.data, reference.data, dtype);
  return { kind: "values", dtype, shape, ...bits, ...amounts };
}

/** Compares texts, position by position. */
export function compareLabels(ours: readonly string[], reference: readonly string[]): ValueComparison {
  const total = Math.max(ours.length, reference.length);
  const at = Array.from({ length: total }, (_, index) => index);
  const differing = at.filter((index) => ours[index] !== reference[index]);
  return {
    kind: "values",
    dtype: "<i4",
    shape: [total],
    equal: differing.length === 0,
    differing: differing.length,
    total,
    first: differing[0] ?? null,
    ...NAMES,
  };
}

const NAMES = { largest: null, mean: null, ulp: null, cosine: null };

function form({ dtype, shape }: StageArray): { dtype: Dtype; shape: readonly number[] } {
  return { dtype, shape };
}

/** Floats as their bits: `===` would take -0 for 0 and NaN for different from itself. */
function bitsOf({ data }: StageArray): Uint8Array | Int32Array {
  return data instanceof Float32Array ? new Int32Array(data.buffer, data.byteOffset, data.length) : data;
}

function compareBits(
  ours: Uint8Array | Int32Array,
  reference: Uint8Array | Int32Array,
): Pick<ValueComparison, "equal" | "differing" | "total" | "first"> {
  let differing = 0;
  let first: number | null = null;
  for (let i = 0; i < ours.length; i++) {
    if (ours[i] === reference[i]) continue;
    first ??= i;
    differing++;
  }
  return { equal: differing === 0, differing, total: ours.length, first };
}

function compareAmounts(
  ours: StageArray["data"],
  reference: StageArray["data"],
  dtype: Dtype,
): Pick<ValueComparison, "largest" | "mean" | "ulp" | "cosine"> {
  let [largest, sum, ulp, product, oursSquared, referenceSquared] = [0, 0, 0, 0, 0, 0];
  for (let i = 0; i < ours.length; i++) {
    const a = ours[i]!;
    const b = reference[i]!;
    product += a * b;
    oursSquared += a * a;
    referenceSquared += b * b;
    if (Object.is(a, b)) continue; // also two NaNs and two equal infinities, whose difference is no number
    const difference = Math.abs(a - b);
    sum += difference;
    if (!(difference <= largest)) largest = Number.isNaN(largest) ? largest : difference;
    if (dtype === "<f4") ulp = Math.max(ulp, ulpDistance(a, b));
  }
  return {
    largest,
    mean: ours.length === 0 ? 0 : sum / ours.length,
    ulp: dtype === "<f4" ? ulp : null,
    cosine: cosineOf(product, oursSquared, referenceSquared),
  };
}

/** Of two zero vectors 1, of one zero vector 0. */
function cosineOf(product: number, ours: number, reference: number): number {
  if (ours === 0 && reference === 0) return 1;
  if (ours === 0 || reference === 0) return 0;
  if (ours === reference && product === ours) return 1; // without this, rounding makes it 0.9999999999999999
  return product / Math.sqrt(ours) / Math.sqrt(reference);
}
