/** What crosses to the worker: from a loaded picture to one payload frame. */
import { IsotorchError } from "./errors.ts";
import type { decode } from "./image/decode.ts";
import { decoderFor } from "./image/format.ts";
import type { InputSpec } from "./image/geometry.ts";
import type { LoadedImage, Pixels } from "./image/source.ts";
import type { Tensor } from "./image/tensor.ts";
import type { Handoff, ResolvedClassifyOptions } from "./options.ts";
import { frameOf } from "./worker/wire.ts";
import type { Fields, Frame, MessageOf } from "./worker/wire.ts";

/**
 * Decoded RGB pixels: by sharp where its bits are proven to be Pillow's, by Pillow itself elsewhere. Pillow has the
 * last word on damage: it reads some files that sharp refuses.
 */
export async function pixelsOf(
  loaded: Exclude<LoadedImage, { kind: "tensor" }>,
  call: ResolvedClassifyOptions,
  pillow: (bytes: Uint8Array) => Promise<Pixels>,
): Promise<Pixels> {
  if (loaded.kind === "pixels") return loaded.pixels;
  if (decoderFor(loaded.bytes).decoder === "worker") return pillow(loaded.bytes);
  try {
    const decoder = await loadDecoder();
    return await decoder.decode(loaded.bytes, call);
  } catch (error) {
    if (error instanceof IsotorchError && error.code === "DECODE_FAILED") return pillow(loaded.bytes);
    throw error;
  }
}

/** The decoder, whose native libraries take as long to load as Python to start: it can be had ready beforehand. */
export function loadDecoder(): Promise<{ readonly decode: typeof decode }> {
  return import("./image/decode.ts");
}

/** A `decode` request: what Pillow reads in these bytes. */
export function decodeRequest(
  bytes: Uint8Array,
  { exif, icc, mode, timeoutMs }: ResolvedClassifyOptions,
): readonly [type: "decode", fields: Fields<"decode">, frames: readonly Frame[]] {
  return ["decode", { exif, icc, mode, deadlineMs: timeoutMs || null }, [encodedFrame(bytes)]];
}

/** The picture in the answer to a `decode` request. */
export function decodedPixels(reply: MessageOf<"result">): Pixels {
  const { data, shape } = frameOf(reply, "pixels");
  const [height = 0, width = 0] = shape;
  return { data, width, height };
}

/** @throws IsotorchError `BAD_TENSOR` unless the shape is `[1,3,crop,crop]`. */
export function checkedTensor(tensor: Tensor, { crop }: InputSpec): Tensor {
  const expected = [1, 3, crop, crop];
  if (tensor.shape.join() === expected.join()) return tensor;
  throw new IsotorchError(
    "BAD_TENSOR",
    `The tensor has shape [${tensor.shape.join()}], expected [${expected.join()}].`,
  );
}

/** One payload frame with what was made on the way to it. */
export interface Payload {
  readonly handoff: Handoff;
  readonly frame: Frame;
  readonly tensor?: Tensor;
  readonly pixels?: Pixels;
}

export function tensorPayload(tensor: Tensor): Payload {
  const { buffer, byteOffset, byteLength } = tensor.data;
  const data = new Uint8Array(buffer, byteOffset, byteLength);
  return { handoff: "tensor", frame: { name: "tensor", dtype: "<f4", shape: tensor.shape, data }, tensor };
}

export function pixelsPayload({ data, width, height }: Pixels): Payload {
  return { handoff: "pixels", frame: { name: "pixels", dtype: "|u1", shape: [1, height, width, 3], data } };
}

export function encodedPayload(bytes: Uint8Array): Payload {
  return { handoff: "encoded", frame: encodedFrame(bytes) };
}

function encodedFrame(bytes: Uint8Array): Frame {
  return { name: "encoded", dtype: "|u1", shape: [bytes.byteLength], data: bytes };
}
