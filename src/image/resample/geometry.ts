/** What a set of weights asks of its input; the worker sends it, torchvision's weights object is its source. */
export interface InputSpec {
  /** What torchvision's `Resize` takes: the length of the shorter side, or `[height, width]` for exactly that size; pixels. */
  readonly resize: Sides;
  /** What `CenterCrop` takes: the side of a square, or `[height, width]`; pixels. What the picture lacks is black. */
  readonly crop: Sides;
  /** Mean per channel (R, G, B), on the 0..1 scale. */
  readonly mean: readonly number[];
  /** Standard deviation per channel (R, G, B), on the 0..1 scale. */
  readonly std: readonly number[];
  readonly interpolation: Interpolation;
}

/** One length, or both sides in torchvision's order; pixels. */
export type Sides = number | readonly [height: number, width: number];

/** The filter of the resize, by torchvision's names. */
export type Interpolation = "nearest" | "bilinear" | "bicubic";

/** The picture that the network sees: the tensor has the shape `[1, 3, height, width]`. */
export function cropSize({ crop }: Pick<InputSpec, "crop">): Size {
  const [height, width] = typeof crop === "number" ? [crop, crop] : crop;
  return { width, height };
}

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
 * The size that torchvision's `Resize(size)` gives. Of one length, the shorter side becomes `size` and the longer one
 * `int(size * long / short)`; a pair is the size itself.
 */
export function resizedSize(width: number, height: number, size: Sides): Size {
  if (typeof size !== "number") return { width: size[1], height: size[0] };
  // One multiplication, one division, in this order: so Python computes it, and the rounding depends on it.
  return width <= height
    ? { width: size, height: Math.trunc((size * height) / width) }
    : { width: Math.trunc((size * width) / height), height: size };
}

/** What a resize does to a picture's shape, as far as a Pillow may choose by it along which axis it goes first. */
export type Shape = "up" | "down" | "tall" | "wide";

/**
 * `tall` shrinks in height by more than twice what it does in width, also where it gets wider; `wide` the other way round.
 */
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
