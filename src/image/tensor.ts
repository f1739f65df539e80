import type { InputSpec, Pixels } from "./resample/geometry.ts";
import { kernelOf } from "./resample/kernel.ts";
import { bytesOf, Layout } from "./resample/layout.ts";

export type { InputSpec } from "./resample/geometry.ts";

/** A float32 array with its shape. */
export interface Tensor {
  /** float32 values, the last dimension varying fastest. */
  readonly data: Float32Array;
  /** For a network's input `[1, 3, height, width]`. */
  readonly shape: readonly number[];
}

/** torchvision's `ToTensor`: float32 of shape `[3, height, width]`, `value / 255`. */
export function toTensor(pixels: Pixels): Tensor {
  const { data, width, height } = pixels;
  const plane = width * height;
  const out = new Float32Array(3 * plane);
  for (let i = 0; i < plane; i++) {
    out[i] = data[i * 3]! / 255;
    out[plane + i] = data[i * 3 + 1]! / 255;
    out[2 * plane + i] = data[i * 3 + 2]! / 255;
  }
  return { data: out, shape: [3, height, width] };
}

/** torchvision's `Normalize`: `(value - mean) / std` per channel, float32 at each step. Takes `[3, height, width]`. */
export function normalize(tensor: Tensor, spec: Pick<InputSpec, "mean" | "std">): Tensor {
  const plane = tensor.data.length / 3;
  const out = new Float32Array(tensor.data.length);
  for (let channel = 0; channel < 3; channel++) {
    const mean = Math.fround(spec.mean[channel]!);
    const std = Math.fround(spec.std[channel]!);
    for (let i = channel * plane; i < (channel + 1) * plane; i++) {
      out[i] = Math.fround(tensor.data[i]! - mean) / std;
    }
  }
  return { data: out, shape: tensor.shape };
}

/** What each of the 256 byte values becomes in each channel: float32, `table[channel * 256 + value]`. */
export function normalizationTable(spec: Pick<InputSpec, "mean" | "std">): Float32Array {
  const table = new Float32Array(3 * 256);
  for (let channel = 0; channel < 3; channel++) {
    const mean = Math.fround(spec.mean[channel]!);
    const std = Math.fround(spec.std[channel]!);
    for (let value = 0; value < 256; value++) {
      table[channel * 256 + value] = Math.fround(Math.fround(value / 255) - mean) / std;
    }
  }
  return table;
}

/**
 * {@link toTensor} and {@link normalize} in one pass over a table: the same bits, float32 of shape
 * `[1, 3, height, width]`.
 */
export function pixelsToTensor(pixels: Pixels, spec: Pick<InputSpec, "mean" | "std">): Tensor {
  const { data, width, height } = pixels;
  const table = normalizationTable(spec);
  const layout = new Layout();
  const tableAt = layout.place(table.byteLength);
  const sourceAt = layout.place(data.length);
  const targetBytes = data.length * Float32Array.BYTES_PER_ELEMENT;
  const targetAt = layout.place(targetBytes);
  const kernel = kernelOf(layout.bytes);
  const { buffer } = kernel.memory;
  const bytes = new Uint8Array(buffer);
  bytes.set(bytesOf(table), tableAt);
  bytes.set(data, sourceAt);
  kernel.planes(sourceAt, width * height, tableAt, targetAt);
  const out = new Float32Array(buffer.slice(targetAt, targetAt + targetBytes));
  return { data: out, shape: [1, 3, height, width] };
}
