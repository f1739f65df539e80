import { excerpt, shownValue } from "../../base/text/shown.ts";
import { IsotorchError } from "../../base/errors.ts";
import { checkSize, limitsOf, type PartialLimits } from "./limits.ts";
import type { Pixels } from "../resample/geometry.ts";
import type { Tensor } from "../tensor.ts";

/** Decoded pixels, 8 bits per channel, rows from the top, channels interleaved. */
export interface RawPixels {
  /** `height * width * channels` bytes. */
  readonly data: Uint8Array | Uint8ClampedArray;
  readonly width: number;
  readonly height: number;
  /** 1: grey, used for R, G and B. 3: RGB. 4: RGBA, alpha dropped as Pillow's `convert("RGB")` drops it. */
  readonly channels: 1 | 3 | 4;
}

/**
 * Pixels that came from outside, as RGB.
 *
 * @throws IsotorchError `INVALID_INPUT`, `INPUT_TOO_LARGE`.
 */
export function checkPixels(input: object, limits: PartialLimits = {}): Pixels {
  const { data, width, height, channels } = input as Partial<Record<keyof RawPixels, unknown>>;
  if (!isLength(width) || !isLength(height)) {
    throw invalid(
      `width and height must be positive integers, received ${shownValue(width, 80)} and ${shownValue(height, 80)}`,
    );
  }
  if (channels !== 1 && channels !== 3 && channels !== 4) {
    throw invalid(`channels must be 1, 3 or 4, received ${shownValue(channels, 80)}`);
  }
  if (!(data instanceof Uint8Array) && !(data instanceof Uint8ClampedArray)) {
    throw invalid("data must be a Uint8Array or a Uint8ClampedArray");
  }
  checkSize({ width, height }, limitsOf(limits));
  const expected = width * height * channels;
  if (data.length !== expected) throw invalid(`data must have ${expected} bytes, it has ${data.length}`);
  return { data: toRgb(data, channels), width, height };
}

function toRgb(data: Uint8Array | Uint8ClampedArray, channels: 1 | 3 | 4): Uint8Array {
  if (channels === 3) return new Uint8Array(data.buffer, data.byteOffset, data.length);
  const out = new Uint8Array((data.length / channels) * 3);
  const [green, blue] = channels === 1 ? [0, 0] : [1, 2];
  for (let source = 0, target = 0; source < data.length; source += channels, target += 3) {
    out[target] = data[source]!;
    out[target + 1] = data[source + green]!;
    out[target + 2] = data[source + blue]!;
  }
  return out;
}

/**
 * A tensor that came from outside, in the shape `[1, 3, height, width]`; `[3, height, width]` is taken too.
 *
 * @throws IsotorchError `BAD_TENSOR`.
 */
export function checkTensor(input: object): Tensor {
  const { data, shape } = input as Partial<Record<keyof Tensor, unknown>>;
  if (!(data instanceof Float32Array)) throw bad("data must be a Float32Array");
  if (!Array.isArray(shape) || !shape.every(isLength))
    throw bad("shape must be an array of positive integers");
  const full: readonly number[] = shape.length === 3 ? [1, ...shape] : shape;
  const [count, channels, height, width] = full;
  if (full.length !== 4 || count !== 1 || channels !== 3)
    throw bad(`shape is [${excerpt(shape.slice(0, 20).join(", "))}]`);
  const expected = 3 * height! * width!;
  if (data.length !== expected) throw bad(`the shape needs ${expected} values, data has ${data.length}`);
  if (!isFinite(data)) {
    const broken = data.findIndex((value) => !Number.isFinite(value));
    throw bad(`value ${broken} is ${data[broken]}`);
  }
  return { data, shape: full };
}

/** Whether all values are: float32 values cannot overflow a sum in double, and NaN or an infinity stays in it. */
function isFinite(data: Float32Array): boolean {
  let sum = 0;
  for (let i = 0; i < data.length; i++) sum += data[i]!;
  return Number.isFinite(sum);
}

function isLength(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value > 0;
}

function invalid(why: string): IsotorchError {
  return new IsotorchError("INVALID_INPUT", `not usable as pixels: ${why}`, {
    hint: "pixels are { data, width, height, channels }; ImageData has 4 channels",
  });
}

function bad(why: string): IsotorchError {
  return new IsotorchError("BAD_TENSOR", `not usable as a tensor: ${why}`, {
    hint: "a tensor is a Float32Array of finite values with the shape [1, 3, height, width] or [3, height, width]",
  });
}
