/** What crosses to the worker: from an input to one payload frame. */
import { IsotorchError } from "./errors.ts";
import type { InputSpec } from "./image/geometry.ts";
import type { Job, Prepared, Want } from "./image/prepare.ts";
import { locateImage } from "./image/source.ts";
import type { ImageInput, Located, Pixels } from "./image/source.ts";
import type { Tensor } from "./image/tensor.ts";
import type { Handoff, ResolvedClassifyOptions } from "./options.ts";
import { frameOf } from "./worker/wire.ts";
import type { Fields, Frame, MessageOf } from "./worker/wire.ts";

/** Who does what for one call. */
export interface Hands {
  readonly spec: InputSpec;
  readonly signal: AbortSignal;
  /** Prepares a picture: in a thread, or right here. */
  readonly prepare: (job: Job, signal: AbortSignal) => Promise<Prepared>;
  /** Pillow's picture of a file. */
  readonly pillow: (bytes: Uint8Array) => Promise<Pixels>;
}

/** What the network would see. @throws IsotorchError what is wrong with the input. */
export async function tensorOf(
  image: ImageInput,
  call: ResolvedClassifyOptions,
  hands: Hands,
): Promise<Tensor> {
  const located = await locateImage(image, { signal: hands.signal });
  if (located.kind === "tensor") return checkedTensor(located.tensor, hands.spec);
  const { tensor } = await madeOf(located, call, hands, { ...NOTHING, tensor: true }, false);
  return present(tensor);
}

/**
 * The tensor, the cropped pixels, or the file where only Pillow reads it as Pillow does; with what the call includes.
 *
 * @throws IsotorchError what is wrong with the input.
 */
export async function payloadOf(
  image: ImageInput,
  call: ResolvedClassifyOptions,
  handoff: Handoff,
  hands: Hands,
): Promise<Payload> {
  const located = await locateImage(image, { signal: hands.signal });
  if (located.kind === "tensor") return tensorPayload(checkedTensor(located.tensor, hands.spec));
  const asStored = call.exif === "ignore" && call.icc === "ignore" && call.mode === "convert-rgb";
  const mayGoEncoded = asStored && located.kind !== "pixels";
  const goesEncoded = handoff === "encoded" && mayGoEncoded;
  const { tensor = false, pixels = false } = call.include;
  const want: Want = {
    encoded: goesEncoded,
    pixels,
    cropped: handoff === "pixels",
    tensor: tensor || (handoff !== "pixels" && !goesEncoded),
  };
  const made = await madeOf(located, call, hands, want, mayGoEncoded && !tensor && !pixels);
  const { kind, encoded, cropped, laps } = made;
  const along = { laps, tensor: made.tensor, pixels: made.pixels };
  if (kind === "encoded" || goesEncoded) return { ...along, ...encodedPayload(present(encoded)) };
  if (handoff === "pixels") return { ...along, ...pixelsPayload(present(cropped)) };
  return { ...along, ...tensorPayload(present(made.tensor)) };
}

const NOTHING: Want = { encoded: false, pixels: false, cropped: false, tensor: false };

/** Decoded by sharp where its bits are proven to be Pillow's, by Pillow itself elsewhere. */
async function madeOf(
  source: Exclude<Located, { kind: "tensor" }>,
  { exif, icc, mode }: ResolvedClassifyOptions,
  { spec, signal, prepare, pillow }: Hands,
  want: Want,
  fileWillDo: boolean,
): Promise<Prepared> {
  const job: Job = { source, spec, decode: { exif, icc, mode }, fileWillDo, want };
  const made = await prepare(job, signal);
  const { kind, encoded } = made;
  if (kind !== "pillow") return made;
  const started = performance.now();
  const pixels = await pillow(present(encoded));
  const laps = { ...made.laps, decode: performance.now() - started };
  const rest = await prepare({ ...job, source: { kind: "pixels", pixels } }, signal);
  return { ...rest, ...(want.encoded && encoded && { encoded }), laps: { ...laps, ...rest.laps } };
}

function present<T>(value: T | undefined): T {
  if (value === undefined) throw new Error("the preparation left out what was asked for");
  return value;
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
function checkedTensor(tensor: Tensor, { crop }: InputSpec): Tensor {
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
  readonly tensor?: Tensor | undefined;
  readonly pixels?: Pixels | undefined;
  /** Milliseconds of each step of its preparation. */
  readonly laps?: Readonly<Record<string, number>>;
}

function tensorPayload(tensor: Tensor): Payload {
  const { buffer, byteOffset, byteLength } = tensor.data;
  const data = new Uint8Array(buffer, byteOffset, byteLength);
  return { handoff: "tensor", frame: { name: "tensor", dtype: "<f4", shape: tensor.shape, data }, tensor };
}

function pixelsPayload({ data, width, height }: Pixels): Payload {
  return { handoff: "pixels", frame: { name: "pixels", dtype: "|u1", shape: [1, height, width, 3], data } };
}

function encodedPayload(bytes: Uint8Array): Payload {
  return { handoff: "encoded", frame: encodedFrame(bytes) };
}

function encodedFrame(bytes: Uint8Array): Frame {
  return { name: "encoded", dtype: "|u1", shape: [bytes.byteLength], data: bytes };
}
