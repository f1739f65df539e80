/** How weights and pictures lie in the kernel's memory: the twin of what `image/assembly/kernel.ts` reads. */
import type { Coefficients } from "./coefficients.ts";

/** Bits of the low part of a weight; the rest is its high part, and both are 16-bit factors. */
const LOW_BITS = 15;
const LOW_MASK = (1 << LOW_BITS) - 1;

/** The next multiple of 16, the bytes of a vector. */
export function roundUp(bytes: number): number {
  return (bytes + 15) & ~15;
}

/** Addresses for arrays of known sizes, one after the other. */
export class Layout {
  bytes = 0;

  /** @returns the address, a multiple of 16. */
  place(bytes: number): number {
    const at = this.bytes;
    this.bytes = roundUp(at + bytes);
    return at;
  }
}

/** An array as the bytes that it is. */
export function bytesOf({ buffer, byteOffset, byteLength }: Int32Array | Float32Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/**
 * The weights of the horizontal pass. For each output pixel: its first byte in a row that starts with source column
 * `left`, its number of groups of four taps, and four words per group: low parts of taps 0 and 1, of 2 and 3, then the
 * high parts.
 */
export function packColumns(columns: Coefficients, left: number): Int32Array {
  const out = new Int32Array(columns.start.length * (2 + Math.ceil(columns.taps / 4) * 4));
  let at = 0;
  for (let x = 0; x < columns.start.length; x++) {
    const groups = (columns.length[x]! + 3) >> 2;
    out[at] = (columns.start[x]! - left) * 3;
    out[at + 1] = groups;
    at += 2;
    for (let k = 0; k < groups * 4; k += 4, at += 4) {
      const [first, second] = [pairOf(columns, x, k), pairOf(columns, x, k + 2)];
      out[at] = first.low;
      out[at + 1] = second.low;
      out[at + 2] = first.high;
      out[at + 3] = second.high;
    }
  }
  return out.subarray(0, at);
}

/**
 * The weights of the vertical pass. For each output row: its first byte in rows of `stride` bytes that start with source
 * row `top`, its number of pairs of taps, and two words per pair: low parts, high parts.
 */
export function packRows(rows: Coefficients, top: number, stride: number): Int32Array {
  const out = new Int32Array(rows.start.length * (2 + Math.ceil(rows.taps / 2) * 2));
  let at = 0;
  for (let y = 0; y < rows.start.length; y++) {
    const pairs = (rows.length[y]! + 1) >> 1;
    out[at] = (rows.start[y]! - top) * stride;
    out[at + 1] = pairs;
    at += 2;
    for (let k = 0; k < pairs * 2; k += 2, at += 2) {
      const { low, high } = pairOf(rows, y, k);
      out[at] = low;
      out[at + 1] = high;
    }
  }
  return out.subarray(0, at);
}

/** Both parts of taps `k` and `k + 1` of an output position; weights beyond its last tap are zero. */
function pairOf({ weights, length, taps }: Coefficients, position: number, k: number) {
  const weight = (tap: number): number => (tap < length[position]! ? weights[position * taps + tap]! : 0);
  const [a, b] = [weight(k), weight(k + 1)];
  return {
    low: (a & LOW_MASK) | ((b & LOW_MASK) << 16),
    high: ((a >> LOW_BITS) & 0xffff) | ((b >> LOW_BITS) << 16),
  };
}
