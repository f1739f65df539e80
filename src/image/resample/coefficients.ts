import type { Interpolation } from "./geometry.ts";

/** The filters that weigh; `nearest` takes one pixel as it is. */
export type Filter = Exclude<Interpolation, "nearest">;

/** Fractional bits of a weight: what Pillow leaves when an 8-bit value and the sum must fit 32 bits. */
export const PRECISION_BITS = 22;

/** The weights of a run of output positions along one axis. */
export interface Coefficients {
  /** First source position of each output position. */
  readonly start: Int32Array;
  /** Number of source positions that each output position reads, at most `taps`. */
  readonly length: Int32Array;
  /** Fixed-point weights with {@link PRECISION_BITS} fractional bits, `taps` per output position. */
  readonly weights: Int32Array;
  readonly taps: number;
}

/**
 * Computes the weights of output positions `from` to `from + count - 1` of a resize from `inSize` to `outSize`.
 * The resampler takes it as an argument, so that a test can hand in weights of its own.
 */
export type CoefficientSource = (
  inSize: number,
  outSize: number,
  from: number,
  count: number,
  filter: Filter,
) => Coefficients;

const bilinear = (x: number): number => Math.max(0, 1 - Math.abs(x));

function bicubic(distance: number): number {
  const a = -0.5;
  const x = Math.abs(distance);
  // Horner's form in this order: the last bit of the double decides how the fixed-point weight is rounded.
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * a;
  return 0;
}

const FILTERS = { bilinear: { support: 1, weigh: bilinear }, bicubic: { support: 2, weigh: bicubic } };

/**
 * Pillow's antialiasing weights: the filter is widened by the scale when shrinking, sampled at pixel centres, normalised
 * in double precision and rounded half away from zero to 22 fractional bits. Method: Pillow, `src/libImaging/Resample.c`.
 */
export const pillowCoefficients: CoefficientSource = (inSize, outSize, from, count, filter) => {
  const { support: radius, weigh } = FILTERS[filter];
  const scale = inSize / outSize;
  const filterScale = Math.max(scale, 1);
  const support = radius * filterScale;
  const inverse = 1 / filterScale;
  const taps = Math.ceil(support) * 2 + 1;
  const start = new Int32Array(count);
  const length = new Int32Array(count);
  const weights = new Int32Array(count * taps);
  const row = new Float64Array(taps);

  for (let i = 0; i < count; i++) {
    const center = (from + i + 0.5) * scale;
    const first = Math.max(0, Math.trunc(center - support + 0.5));
    const end = Math.min(inSize, Math.trunc(center + support + 0.5));
    let total = 0;
    for (let k = 0; k < end - first; k++) {
      const weight = weigh((k + first - center + 0.5) * inverse);
      row[k] = weight;
      total += weight;
    }
    for (let k = 0; k < end - first; k++) {
      const weight = total === 0 ? row[k]! : row[k]! / total;
      const fixed = weight * (1 << PRECISION_BITS);
      weights[i * taps + k] = Math.trunc(fixed < 0 ? fixed - 0.5 : fixed + 0.5);
    }
    start[i] = first;
    length[i] = end - first;
  }
  return { start, length, weights, taps };
};
