/** What a set of weights asks of its input; the worker sends it, torchvision's weights object is its source. */
export interface InputSpec {
  /** Length of the shorter side after resizing, pixels. */
  readonly resize: number;
  /** Side of the square that is kept, pixels. */
  readonly crop: number;
  /** Mean per channel (R, G, B), on the 0..1 scale. */
  readonly mean: readonly number[];
  /** Standard deviation per channel (R, G, B), on the 0..1 scale. */
  readonly std: readonly number[];
  readonly interpolation: Interpolation;
}

/** The filter of the resize, by torchvision's names. */
export type Interpolation = "bilinear" | "bicubic";

/** The direction of one of the two passes of a resize. */
export type Axis = "horizontal" | "vertical";

/** An RGB picture. */
export interface Pixels {
  /** `height * width * 3` bytes, rows from the top, R G B interleaved. */
  readonly data: Uint8Array;
  readonly width: number;
  readonly height: number;
}

/** A width and a height, pixels. */
export interface Size {
  readonly width: number;
  readonly height: number;
}

/**
 * The size that torchvision's `Resize(size)` gives: the shorter side becomes `size`, the longer one
 * `int(size * long / short)`.
 */
export function resizedSize(width: number, height: number, size: number): Size {
  // One multiplication, one division, in this order: so Python computes it, and the rounding depends on it.
  return width <= height
    ? { width: size, height: Math.trunc((size * height) / width) }
    : { width: Math.trunc((size * width) / height), height: size };
}

/** What a resize does to a picture's shape, as far as a Pillow may choose by it along which axis it goes first. */
export type Shape = "up" | "down" | "tall" | "wide";

/** `tall` shrinks in height by more than twice what it does in width, `wide` the other way round. */
export function shapeOf(from: Size, to: Size): Shape {
  const [across, down] = [from.width - to.width, from.height - to.height];
  if (across <= 0 && down <= 0) return "up";
  if (down > 0 && down > 2 * across) return "tall";
  return across > 0 && across > 2 * down ? "wide" : "down";
}

/**
 * Where torchvision's `CenterCrop(crop)` starts along one side: Python's `round((size - crop) / 2)`, half to even.
 * Negative when the picture is shorter than the crop: that many pixels of black go before it.
 */
export function cropOffset(size: number, crop: number): number {
  const excess = size - crop;
  if (excess < 0) return -Math.floor(-excess / 2);
  const half = Math.floor(excess / 2);
  return excess % 2 === 0 ? half : half + (half % 2);
}

/** {@link cropOffset} for both sides. */
export function cropOffsets(width: number, height: number, crop: number): { left: number; top: number } {
  return { left: cropOffset(width, crop), top: cropOffset(height, crop) };
}
