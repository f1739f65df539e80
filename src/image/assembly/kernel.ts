// The inner loops of the resampler, in AssemblyScript: `npm run build` compiles them to dist/image/kernel.wasm, and
// src/image/resample/kernel.ts loads them. Addresses are bytes in the memory of the module, which the caller lays out.
//
// A weight w of 22 fractional bits is split as w = high * 2^15 + low, so that both parts are 16-bit factors, and
// i32x4.dot_i16x8_s sums the products of two taps at once. Sums wrap around at 32 bits as Pillow's do.

/** Bits of a low part. */
const LOW_BITS: i32 = 15;
/** Fractional bits of a weight. */
const PRECISION_BITS: i32 = 22;

/** A half in fixed point: makes the final shift round to nearest. */
function half(): v128 {
  return i32x4.splat(1 << (PRECISION_BITS - 1));
}

/** Sums of low and high products, rounded to integers. */
function rounded(low: v128, high: v128): v128 {
  return i32x4.shr_s(i32x4.add(low, i32x4.shl(high, LOW_BITS)), PRECISION_BITS);
}

/** The sum with the products of a pair of taps and their weights added, in each of four lanes. */
function plusPair(sum: v128, taps: v128, weights: v128): v128 {
  return i32x4.add(sum, i32x4.dot_i16x8_s(taps, weights));
}

/** The same for two pairs. */
function plusPairs(sum: v128, first: v128, ofFirst: v128, second: v128, ofSecond: v128): v128 {
  return plusPair(plusPair(sum, first, ofFirst), second, ofSecond);
}

/** Pixels 0 and 1 of 16 bytes R G B R G B …, as 16-bit lanes R0 R1 G0 G1 B0 B1 0 0. */
function firstPair(pixels: v128): v128 {
  return i8x16.swizzle(pixels, i8x16(0, -1, 3, -1, 1, -1, 4, -1, 2, -1, 5, -1, -1, -1, -1, -1));
}

/** Pixels 2 and 3 in the same way. */
function secondPair(pixels: v128): v128 {
  return i8x16.swizzle(pixels, i8x16(6, -1, 9, -1, 7, -1, 10, -1, 8, -1, 11, -1, -1, -1, -1, -1));
}

/**
 * Narrows `rows` rows of RGB, four at a time: up to three rows more are read, and written.
 *
 * @param source the first row; 16 bytes beyond the last may be read.
 * @param columns for each output pixel: first byte in a row, number of groups of four taps, and per group of them four
 * pairs of 16-bit weights: low parts of taps 0 and 1, of taps 2 and 3, high parts of the same.
 * @param target rows of `count` pixels; one byte beyond each row is written.
 */
export function horizontal(
  source: usize,
  sourceStride: usize,
  rows: i32,
  columns: usize,
  count: i32,
  target: usize,
  targetStride: usize,
): void {
  for (let y = 0; y < rows; y += 4) {
    let at = columns;
    let out = target;
    for (let x = 0; x < count; x++) {
      let pixels = source + load<u32>(at);
      let groups = load<i32>(at, 4);
      at += 8;
      let low0 = half(),
        low1 = half(),
        low2 = half(),
        low3 = half();
      let high0 = i32x4.splat(0),
        high1 = high0,
        high2 = high0,
        high3 = high0;
      for (; groups > 0; groups--) {
        const lowFirst = v128.load32_splat(at);
        const lowSecond = v128.load32_splat(at, 4);
        const highFirst = v128.load32_splat(at, 8);
        const highSecond = v128.load32_splat(at, 12);
        at += 16;
        let row = v128.load(pixels);
        let first = firstPair(row);
        let second = secondPair(row);
        low0 = plusPairs(low0, first, lowFirst, second, lowSecond);
        high0 = plusPairs(high0, first, highFirst, second, highSecond);
        row = v128.load(pixels + sourceStride);
        first = firstPair(row);
        second = secondPair(row);
        low1 = plusPairs(low1, first, lowFirst, second, lowSecond);
        high1 = plusPairs(high1, first, highFirst, second, highSecond);
        row = v128.load(pixels + sourceStride * 2);
        first = firstPair(row);
        second = secondPair(row);
        low2 = plusPairs(low2, first, lowFirst, second, lowSecond);
        high2 = plusPairs(high2, first, highFirst, second, highSecond);
        row = v128.load(pixels + sourceStride * 3);
        first = firstPair(row);
        second = secondPair(row);
        low3 = plusPairs(low3, first, lowFirst, second, lowSecond);
        high3 = plusPairs(high3, first, highFirst, second, highSecond);
        pixels += 12;
      }
      const narrow = i8x16.narrow_i16x8_u(
        i16x8.narrow_i32x4_s(rounded(low0, high0), rounded(low1, high1)),
        i16x8.narrow_i32x4_s(rounded(low2, high2), rounded(low3, high3)),
      );
      v128.store32_lane(out, narrow, 0);
      v128.store32_lane(out + targetStride, narrow, 1);
      v128.store32_lane(out + targetStride * 2, narrow, 2);
      v128.store32_lane(out + targetStride * 3, narrow, 3);
      out += 3;
    }
    source += sourceStride * 4;
    target += targetStride * 4;
  }
}

/**
 * Shortens a picture, its rows taken as plain bytes.
 *
 * @param source rows of `stride` bytes, a multiple of 16; the row after the last may be read.
 * @param rows for each output row: first byte in `source`, number of pairs of taps, and per pair two pairs of 16-bit
 * weights: the low parts of both taps, their high parts.
 * @param width bytes of an output row; up to 15 more are written after it.
 */
export function vertical(
  source: usize,
  stride: usize,
  rows: usize,
  count: i32,
  target: usize,
  width: usize,
): void {
  let at = rows;
  for (let y = 0; y < count; y++) {
    const first = source + load<u32>(at);
    const pairs = load<i32>(at, 4);
    at += 8;
    for (let x: usize = 0; x < width; x += 16) {
      let weights = at;
      let bytes = first + x;
      let low0 = half(),
        low1 = half(),
        low2 = half(),
        low3 = half();
      let high0 = i32x4.splat(0),
        high1 = high0,
        high2 = high0,
        high3 = high0;
      for (let k = 0; k < pairs; k++) {
        const low = v128.load32_splat(weights);
        const high = v128.load32_splat(weights, 4);
        weights += 8;
        const upper = v128.load(bytes);
        const lower = v128.load(bytes + stride);
        bytes += stride * 2;
        const left = i8x16.shuffle(upper, lower, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
        const right = i8x16.shuffle(
          upper,
          lower,
          8,
          24,
          9,
          25,
          10,
          26,
          11,
          27,
          12,
          28,
          13,
          29,
          14,
          30,
          15,
          31,
        );
        let taps = i16x8.extend_low_i8x16_u(left);
        low0 = plusPair(low0, taps, low);
        high0 = plusPair(high0, taps, high);
        taps = i16x8.extend_high_i8x16_u(left);
        low1 = plusPair(low1, taps, low);
        high1 = plusPair(high1, taps, high);
        taps = i16x8.extend_low_i8x16_u(right);
        low2 = plusPair(low2, taps, low);
        high2 = plusPair(high2, taps, high);
        taps = i16x8.extend_high_i8x16_u(right);
        low3 = plusPair(low3, taps, low);
        high3 = plusPair(high3, taps, high);
      }
      v128.store(
        target + x,
        i8x16.narrow_i16x8_u(
          i16x8.narrow_i32x4_s(rounded(low0, high0), rounded(low1, high1)),
          i16x8.narrow_i32x4_s(rounded(low2, high2), rounded(low3, high3)),
        ),
      );
    }
    at += pairs * 8;
    target += width;
  }
}

/**
 * RGB pixels to three planes of float32.
 *
 * @param table float32 of each of the 256 values of R, then of G, then of B.
 */
export function planes(source: usize, count: usize, table: usize, target: usize): void {
  const end = target + count * 4;
  const plane = count * 4;
  for (; target < end; target += 4) {
    store<f32>(target, load<f32>(table + ((<usize>load<u8>(source)) << 2)));
    store<f32>(target + plane, load<f32>(table + ((<usize>load<u8>(source, 1)) << 2), 1024));
    store<f32>(target + plane * 2, load<f32>(table + ((<usize>load<u8>(source, 2)) << 2), 2048));
    source += 3;
  }
}
