import { type CoefficientSource, pillowCoefficients } from "./coefficients.ts";
import {
  type Axis,
  cropOffset,
  cropSize,
  type InputSpec,
  type Interpolation,
  type Pixels,
  resizedSize,
  type Size,
} from "./geometry.ts";
import { nearest } from "./nearest.ts";
import { horizontalFirst, verticalFirst } from "./passes.ts";

/** Where a crop lies along one axis. */
interface Span {
  /** First position that exists in the resized picture. */
  readonly from: number;
  /** How many positions exist. */
  readonly count: number;
  /** Positions of black before them. */
  readonly pad: number;
}

/** How Pillow resizes, where its versions differ. */
export interface Passes {
  /** Along which axis first: the picture between the two passes is rounded to 8 bits. @default "horizontal" */
  readonly first?: Axis | undefined;
  /** Another filter than Pillow's, for tests. @default Pillow's */
  readonly coefficients?: CoefficientSource | undefined;
}

/** The whole picture, resized as Pillow's `Image.resize` does it; the same object when the size is already right. */
export function resize(
  pixels: Pixels,
  size: Size,
  interpolation: Interpolation,
  passes: Passes = {},
): Pixels {
  if (pixels.width === size.width && pixels.height === size.height) return pixels;
  const across = { from: 0, count: size.width, pad: 0 };
  const down = { from: 0, count: size.height, pad: 0 };
  return resample(pixels, size, across, down, interpolation, passes);
}

/** The middle of a picture, as torchvision's `CenterCrop`: black where the picture is smaller. */
export function centerCrop(pixels: Pixels, crop: Size): Pixels {
  const across = spanOf(pixels.width, crop.width);
  const down = spanOf(pixels.height, crop.height);
  const data = new Uint8Array(crop.width * crop.height * 3);
  for (let y = 0; y < down.count; y++) {
    const source = ((down.from + y) * pixels.width + across.from) * 3;
    const row = pixels.data.subarray(source, source + across.count * 3);
    data.set(row, ((down.pad + y) * crop.width + across.pad) * 3);
  }
  return { data, width: crop.width, height: crop.height };
}

/**
 * `Resize(spec.resize)` and `CenterCrop(spec.crop)` in one go: the same bytes as {@link resize} and then {@link centerCrop},
 * with only those pixels computed that the crop keeps. Memory: the crop, and the source rows under it at the crop's width.
 */
export function resizeAndCrop(
  pixels: Pixels,
  spec: Pick<InputSpec, "resize" | "crop" | "interpolation">,
  passes: Passes = {},
): Pixels {
  const size = resizedSize(pixels.width, pixels.height, spec.resize);
  const crop = cropSize(spec);
  if (pixels.width === size.width && pixels.height === size.height) return centerCrop(pixels, crop);
  const across = spanOf(size.width, crop.width);
  const down = spanOf(size.height, crop.height);
  const kept = resample(pixels, size, across, down, spec.interpolation, passes);
  if (kept.width === crop.width && kept.height === crop.height) return kept;
  return centerCrop(kept, crop);
}

/** Where torchvision's `CenterCrop` puts an odd pixel of black: behind the picture. */
function spanOf(size: number, crop: number): Span {
  const offset = cropOffset(size, crop);
  return size < crop ? { from: 0, count: size, pad: -offset } : { from: offset, count: crop, pad: 0 };
}

/**
 * Pillow's resampler, 8 bits per channel: integer passes along each axis, rounded to 8 bits between them, or the nearest pixel.
 * Method: Pillow, `src/libImaging/Resample.c`.
 */
function resample(
  pixels: Pixels,
  size: Size,
  across: Span,
  down: Span,
  interpolation: Interpolation,
  { first = "horizontal", coefficients = pillowCoefficients }: Passes,
): Pixels {
  const { count: width } = across;
  const { count: height } = down;
  if (interpolation === "nearest") {
    return { data: nearest(pixels, size.width, size.height, across, down), width, height };
  }
  const columns = coefficients(pixels.width, size.width, across.from, across.count, interpolation);
  const rows = coefficients(pixels.height, size.height, down.from, down.count, interpolation);
  const run = first === "horizontal" ? horizontalFirst : verticalFirst;
  return { data: run(pixels, columns, rows), width, height };
}
