import {
  type Coefficients,
  type CoefficientSource,
  pillowCoefficients,
  PRECISION_BITS,
} from "./coefficients.ts";
import {
  cropOffset,
  type InputSpec,
  type Interpolation,
  type Pixels,
  resizedSize,
  type Size,
} from "./geometry.ts";

/** A half in fixed point: makes the final shift round to nearest. */
const HALF = 1 << (PRECISION_BITS - 1);

/** Where a crop lies along one axis. */
interface Span {
  /** First position that exists in the resized picture. */
  readonly from: number;
  /** How many positions exist. */
  readonly count: number;
  /** Positions of black before them. */
  readonly pad: number;
}

/** The whole picture, resized as Pillow's `Image.resize` does it; the same object when the size is already right. */
export function resize(
  pixels: Pixels,
  size: Size,
  interpolation: Interpolation,
  coefficients: CoefficientSource = pillowCoefficients,
): Pixels {
  if (pixels.width === size.width && pixels.height === size.height) return pixels;
  const across = { from: 0, count: size.width, pad: 0 };
  const down = { from: 0, count: size.height, pad: 0 };
  return resample(pixels, size, across, down, interpolation, coefficients);
}

/** The middle `crop` × `crop` pixels, as torchvision's `CenterCrop`: black where the picture is smaller. */
export function centerCrop(pixels: Pixels, crop: number): Pixels {
  const across = spanOf(pixels.width, crop);
  const down = spanOf(pixels.height, crop);
  const data = new Uint8Array(crop * crop * 3);
  for (let y = 0; y < down.count; y++) {
    const source = ((down.from + y) * pixels.width + across.from) * 3;
    const row = pixels.data.subarray(source, source + across.count * 3);
    data.set(row, ((down.pad + y) * crop + across.pad) * 3);
  }
  return { data, width: crop, height: crop };
}

/**
 * `Resize(spec.resize)` and `CenterCrop(spec.crop)` in one go: the same bytes as {@link resize} and then {@link centerCrop},
 * with only those pixels computed that the crop keeps. Memory: the crop, and the source rows under it at the crop's width.
 */
export function resizeAndCrop(
  pixels: Pixels,
  spec: Pick<InputSpec, "resize" | "crop" | "interpolation">,
  coefficients: CoefficientSource = pillowCoefficients,
): Pixels {
  const size = resizedSize(pixels.width, pixels.height, spec.resize);
  if (pixels.width === size.width && pixels.height === size.height) return centerCrop(pixels, spec.crop);
  const across = spanOf(size.width, spec.crop);
  const down = spanOf(size.height, spec.crop);
  const kept = resample(pixels, size, across, down, spec.interpolation, coefficients);
  if (kept.width === spec.crop && kept.height === spec.crop) return kept;
  return centerCrop(kept, spec.crop);
}

function spanOf(size: number, crop: number): Span {
  const offset = cropOffset(size, crop);
  return offset < 0 || size < crop
    ? { from: 0, count: size, pad: -offset }
    : { from: offset, count: crop, pad: 0 };
}

/**
 * Pillow's integer resampler, 8 bits per channel: a horizontal pass, rounded to 8 bits, then a vertical pass.
 * Method: Pillow, `src/libImaging/Resample.c`.
 */
function resample(
  pixels: Pixels,
  size: Size,
  across: Span,
  down: Span,
  interpolation: Interpolation,
  coefficients: CoefficientSource,
): Pixels {
  const columns = coefficients(pixels.width, size.width, across.from, across.count, interpolation);
  const rows = coefficients(pixels.height, size.height, down.from, down.count, interpolation);
  const firstRow = rows.start[0] ?? 0;
  const last = down.count - 1;
  const endRow = last < 0 ? 0 : rows.start[last]! + rows.length[last]!;
  const narrow = horizontal(pixels, columns, firstRow, endRow);
  return {
    data: vertical(narrow, across.count * 3, rows, firstRow),
    width: across.count,
    height: down.count,
  };
}

/** Rows `firstRow` to `endRow - 1` at their new width. */
function horizontal(pixels: Pixels, columns: Coefficients, firstRow: number, endRow: number): Uint8Array {
  const { data, width } = pixels;
  const { start, length, weights, taps } = columns;
  const count = start.length;
  const out = new Uint8ClampedArray((endRow - firstRow) * count * 3);
  let target = 0;
  for (let y = firstRow; y < endRow; y++) {
    const row = y * width * 3;
    for (let x = 0; x < count; x++) {
      let source = row + start[x]! * 3;
      let weightAt = x * taps;
      const end = weightAt + length[x]!;
      let red = HALF;
      let green = HALF;
      let blue = HALF;
      for (; weightAt < end; weightAt++, source += 3) {
        const weight = weights[weightAt]!;
        red = (red + Math.imul(weight, data[source]!)) | 0;
        green = (green + Math.imul(weight, data[source + 1]!)) | 0;
        blue = (blue + Math.imul(weight, data[source + 2]!)) | 0;
      }
      out[target] = red >> PRECISION_BITS;
      out[target + 1] = green >> PRECISION_BITS;
      out[target + 2] = blue >> PRECISION_BITS;
      target += 3;
    }
  }
  return new Uint8Array(out.buffer);
}

/** The rows at their new height. `firstRow` is the source row that `narrow` starts with, `stride` its bytes per row. */
function vertical(narrow: Uint8Array, stride: number, rows: Coefficients, firstRow: number): Uint8Array {
  const { start, length, weights, taps } = rows;
  const count = start.length;
  const out = new Uint8ClampedArray(count * stride);
  const sums = new Int32Array(stride);
  for (let y = 0; y < count; y++) {
    sums.fill(HALF);
    // Row by row and not column by column: memory is read in the order in which it lies.
    for (let k = 0; k < length[y]!; k++) {
      const weight = weights[y * taps + k]!;
      const source = (start[y]! - firstRow + k) * stride;
      for (let i = 0; i < stride; i++) sums[i] = sums[i]! + Math.imul(weight, narrow[source + i]!);
    }
    const target = y * stride;
    for (let i = 0; i < stride; i++) out[target + i] = sums[i]! >> PRECISION_BITS;
  }
  return new Uint8Array(out.buffer);
}
