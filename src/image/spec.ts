/** The preprocessing that somebody asks for, as an option: checked, and filled in. */
import { isRecord } from "../base/files/json.ts";
import { type Check, check, type Checks, defined, oneOf, unexpected } from "../base/options/check.ts";
import type { InputSpec, Interpolation, Sides } from "./resample/geometry.ts";

/** torchvision's `Resize`, `CenterCrop`, `ToTensor` and `Normalize` for a network of one's own. */
export interface Transforms {
  /** The length of the shorter side, or `[height, width]` for exactly that size: 1 to 2048 pixels. */
  readonly resize: Sides;
  /** The side of a square, or `[height, width]`: 1 to 2048 pixels. Where the resized picture is smaller, the rest is black. */
  readonly crop: Sides;
  /** Mean per channel (R, G, B), on the 0..1 scale. @default ImageNet's, [0.485, 0.456, 0.406] */
  readonly mean?: readonly number[] | undefined;
  /** Standard deviation per channel (R, G, B), on the 0..1 scale; none is 0 as float32. @default ImageNet's, [0.229, 0.224, 0.225] */
  readonly std?: readonly number[] | undefined;
  /** The filter of the resize. @default "bilinear" */
  readonly interpolation?: Interpolation | undefined;
}

/** torchvision's preprocessing of most networks, but for the sizes. */
const DEFAULTS = {
  mean: [0.485, 0.456, 0.406],
  std: [0.229, 0.224, 0.225],
  interpolation: "bilinear",
} as const;

/**
 * Pixels of a side. Float32 of the largest square is 48 MiB: half of what may wait at a worker by default, and far below a
 * frame's 576 MiB. torchvision's largest has 600.
 */
const MOST = 2048;

const isSide = (value: unknown): boolean =>
  Number.isSafeInteger(value) && (value as number) >= 1 && (value as number) <= MOST;
const SIDES: Check = [
  `a whole number of pixels from 1 to ${MOST}, or [height, width] of such numbers`,
  (value) => isSide(value) || (Array.isArray(value) && value.length === 2 && value.every(isSide)),
];

/** As PyTorch computes: in float32, where too large a number is infinite and too small a one 0. */
const triple = (expected: string, accepts: (float: number) => boolean): Check => [
  expected,
  (value) =>
    Array.isArray(value) &&
    value.length === 3 &&
    value.every((one) => typeof one === "number" && Number.isFinite(Math.fround(one)) && accepts(one)),
];

const CHECKS: Checks<Transforms> = {
  resize: SIDES,
  crop: SIDES,
  mean: triple("three finite numbers, as float32", () => true),
  std: triple("three finite numbers, none of them 0 as float32", (one) => Math.fround(one) !== 0),
  interpolation: oneOf("nearest", "bilinear", "bicubic"),
};

/**
 * The preprocessing that {@link Transforms} ask for, with defaults filled in.
 *
 * @param name of the option whose value it is, for messages.
 * @throws IsotorchError `INVALID_OPTION` for an unknown name, suggesting a known one, a bad value, or a size that is missing.
 */
export function checkedSpec(value: unknown, name = "transforms"): InputSpec {
  const expected =
    "an object with resize and crop, and mean, std and interpolation where they are not ImageNet's";
  if (!isRecord(value)) throw unexpected(`Option "${name}" is`, value, expected);
  check(value, CHECKS);
  const { resize, crop, ...others } = defined(value as Partial<InputSpec>);
  if (resize === undefined || crop === undefined) throw unexpected(`Option "${name}" is`, value, expected);
  return structuredClone({ resize, crop, ...DEFAULTS, ...others });
}
