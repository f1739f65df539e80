/** An array of a stage: what both sides hand to the comparison, and what `.npy` files hold. */
import { shown, shownValue } from "../../base/text/shown.ts";
import { IsotorchError } from "../../base/errors.ts";
import type { Pixels } from "../../image/resample/geometry.ts";
import type { Tensor } from "../../image/tensor.ts";

/** Element types, by NumPy's names: bytes, float32, int32. */
export type Dtype = "|u1" | "<f4" | "<i4";

export interface StageArray {
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  /** In C order, the last dimension varying fastest. */
  readonly data: Uint8Array | Float32Array | Int32Array;
}

/** A picture as `[height, width, 3]` bytes, as `numpy.asarray(image)` gives it. */
export function arrayOfPixels({ data, width, height }: Pixels): StageArray {
  return { dtype: "|u1", shape: [height, width, 3], data };
}

/** A float32 tensor with its shape. */
export function arrayOfTensor({ data, shape }: Tensor): StageArray {
  return { dtype: "<f4", shape, data };
}

/** A float32 vector. */
export function arrayOfFloats(data: Float32Array): StageArray {
  return { dtype: "<f4", shape: [data.length], data };
}

/** An int32 vector. */
export function arrayOfIntegers(values: readonly number[]): StageArray {
  return { dtype: "<i4", shape: [values.length], data: Int32Array.from(values) };
}

/** A picture `[height, width, 3]` as pixels again. */
export function pixelsOfArray({ data, shape, dtype }: StageArray): Pixels {
  const [height = 0, width = 0, channels] = shape;
  if (dtype === "|u1" && data instanceof Uint8Array && shape.length === 3 && channels === 3) {
    return { data, width, height };
  }
  throw new IsotorchError("INVALID_INPUT", `${dtype} [${shape.join(", ")}] is not an RGB picture.`);
}

/**
 * Raw little-endian bytes as an array, without a copy where their place in memory allows it.
 *
 * @throws IsotorchError `PROTOCOL_ERROR` for an unknown type, a bad shape, or another number of bytes.
 */
export function arrayFromBytes(dtype: unknown, shape: unknown, bytes: Uint8Array): StageArray {
  const needed = byteLengthOf(dtype, shape);
  if (bytes.byteLength !== needed) {
    throw new IsotorchError(
      "PROTOCOL_ERROR",
      `An array has ${bytes.byteLength} bytes, its shape needs ${needed}.`,
    );
  }
  const sizes = shape as number[];
  if (dtype === "|u1") return { dtype, shape: sizes, data: bytes };
  const { buffer, byteOffset, byteLength } =
    bytes.byteOffset % ITEM_BYTES["<f4"] === 0 ? bytes : Uint8Array.from(bytes);
  const count = byteLength / ITEM_BYTES["<f4"];
  return dtype === "<f4"
    ? { dtype, shape: sizes, data: new Float32Array(buffer, byteOffset, count) }
    : { dtype: "<i4", shape: sizes, data: new Int32Array(buffer, byteOffset, count) };
}

/** The bytes that an array of this type and shape takes. @throws IsotorchError `PROTOCOL_ERROR`. */
export function byteLengthOf(dtype: unknown, shape: unknown): number {
  const known = dtype === "|u1" || dtype === "<f4" || dtype === "<i4";
  if (!known)
    throw new IsotorchError("PROTOCOL_ERROR", `An array has the unknown type ${shown(String(dtype))}.`);
  const isShape = Array.isArray(shape) && shape.every((size) => Number.isSafeInteger(size) && size >= 0);
  if (!isShape) throw new IsotorchError("PROTOCOL_ERROR", `An array has the bad shape ${shownValue(shape)}.`);
  return (shape as number[]).reduce((product, size) => product * size, ITEM_BYTES[dtype]);
}

const ITEM_BYTES: Readonly<Record<Dtype, number>> = { "|u1": 1, "<f4": 4, "<i4": 4 };
