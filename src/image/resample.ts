import { type Coefficients, type CoefficientSource, pillowCoefficients } from "./coefficients.ts";
import {
  cropOffset,
  type InputSpec,
  type Interpolation,
  type Pixels,
  resizedSize,
  type Size,
} from "./geometry.ts";
import { kernelOf } from "./kernel.ts";
import { bytesOf, Layout, packColumns, packRows, roundUp } from "./layout.ts";

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

/** Source bytes that are in the kernel's memory at a time: they stay in the processor's cache between copy and use. */
const BAND_BYTES = 64 * 1024;

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
  const [left, right] = extent(columns);
  const [top, bottom] = extent(rows);
  const width = across.count * 3;
  // The horizontal pass writes a byte beyond each row, the vertical pass takes 16 bytes at a time.
  const stride = roundUp(width + 1);
  const columnWeights = packColumns(columns, left);
  const rowWeights = packRows(rows, top, stride);

  const rowBytes = (right - left) * 3;
  const bandRows = Math.max(4, Math.trunc(BAND_BYTES / rowBytes) & ~3);
  const layout = new Layout();
  const columnsAt = layout.place(columnWeights.byteLength);
  const rowsAt = layout.place(rowWeights.byteLength);
  const bandAt = layout.place((bandRows + 3) * rowBytes + 64);
  const narrowAt = layout.place((bottom - top + 4) * stride);
  const targetAt = layout.place(down.count * width + 16);

  const kernel = kernelOf(layout.bytes);
  const memory = new Uint8Array(kernel.memory.buffer);
  memory.set(bytesOf(columnWeights), columnsAt);
  memory.set(bytesOf(rowWeights), rowsAt);
  for (let y = top; y < bottom; y += bandRows) {
    const count = Math.min(bandRows, bottom - y);
    for (let row = 0; row < count; row++) {
      const source = ((y + row) * pixels.width + left) * 3;
      memory.set(pixels.data.subarray(source, source + rowBytes), bandAt + row * rowBytes);
    }
    const target = narrowAt + (y - top) * stride;
    kernel.horizontal(bandAt, rowBytes, count, columnsAt, across.count, target, stride);
  }
  kernel.vertical(narrowAt, stride, rowsAt, down.count, targetAt, width);
  const data = memory.slice(targetAt, targetAt + down.count * width);
  return { data, width: across.count, height: down.count };
}

/** First source position that is read, and the one after the last. */
function extent({ start, length }: Coefficients): [first: number, end: number] {
  const last = start.length - 1;
  return last < 0 ? [0, 0] : [start[0]!, start[last]! + length[last]!];
}
