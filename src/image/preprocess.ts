import { cropSize, type InputSpec, type Pixels, resizedSize } from "./resample/geometry.ts";
import { centerCrop, type Passes, resize, resizeAndCrop } from "./resample/resample.ts";
import { normalize, pixelsToTensor, type Tensor, toTensor } from "./tensor.ts";

/** The network's input, float32 `[1, 3, height, width]`: Resize, CenterCrop, ToTensor and Normalize, bit for bit. */
export function preprocessPixels(pixels: Pixels, spec: InputSpec, passes: Passes = {}): Tensor {
  return pixelsToTensor(resizeAndCrop(pixels, spec, passes), spec);
}

/** The picture after each step of torchvision's transforms. */
export interface Stages {
  readonly decoded: Pixels;
  readonly resized: Pixels;
  readonly cropped: Pixels;
  /** float32 `[3, height, width]`, 0..1. */
  readonly toTensor: Tensor;
  /** float32 `[3, height, width]`. */
  readonly normalized: Tensor;
}

/**
 * Every step by itself, for the parity ladder. The whole resized picture is made, so this takes more time and memory than
 * {@link preprocessPixels}, and a very long and thin picture can be too much for it.
 */
export function preprocessStages(decoded: Pixels, spec: InputSpec, passes: Passes = {}): Stages {
  const size = resizedSize(decoded.width, decoded.height, spec.resize);
  const resized = resize(decoded, size, spec.interpolation, passes);
  const cropped = centerCrop(resized, cropSize(spec));
  const floats = toTensor(cropped);
  return { decoded, resized, cropped, toTensor: floats, normalized: normalize(floats, spec) };
}
