/** What crosses to the network: from an input to a picture in the form in which it travels. */
import { IsotorchError } from "../base/errors.ts";
import type { Attestation } from "../image/attest/attestation.ts";
import { cropSize, type InputSpec } from "../image/resample/geometry.ts";
import type { Job, Prepared, Want } from "../image/prepare.ts";
import { locateImage } from "../image/source/source.ts";
import type { ImageInput, Limits, Located, Pixels } from "../image/source/source.ts";
import type { Tensor } from "../image/tensor.ts";
import type { Handoff, ResolvedClassifyOptions } from "./options.ts";
import type { Picture } from "../tasks/classify.ts";
import type { Preprocessed, ToDecode } from "../tasks/decode.ts";

/** Who prepares a picture, and as which network wants it. */
export interface Preparation {
  readonly spec: InputSpec;
  readonly attestation: Attestation;
  readonly limits: Limits;
  readonly signal: AbortSignal;
  /** Node's own: in a process beside this one, or right here. */
  readonly prepare: (job: Job, signal: AbortSignal) => Promise<Prepared>;
  /** The environment's own Pillow and torchvision. @param picture whether the decoded picture is wanted as well. */
  readonly environment: (bytes: Uint8Array, picture: boolean) => Promise<Preprocessed>;
  /** Whether there is such an environment: servers elsewhere take files, and give back no pictures. */
  readonly hasEnvironment: boolean;
}

/** A picture that is ready to go, with what was made on the way to it. */
export interface Payload {
  readonly picture: Picture;
  readonly tensor?: Tensor | undefined;
  readonly pixels?: Pixels | undefined;
  /** Who made of the file what the network sees; absent where the caller did. */
  readonly by?: PreparedBy;
  /** Milliseconds of each step of its preparation. */
  readonly laps?: Readonly<Record<string, number>>;
}

/** `node`: sharp and the resampler here. `worker`: the Pillow and torchvision of the environment. */
export type PreparedBy = "node" | "worker";

const NOTHING: Want = { encoded: false, pixels: false, cropped: false, tensor: false };

/** What the network would see. @throws IsotorchError what is wrong with the input. */
export async function tensorOf(
  image: ImageInput,
  call: ResolvedClassifyOptions,
  preparation: Preparation,
): Promise<Pick<Payload, "by"> & { readonly tensor: Tensor }> {
  const located = await locate(image, preparation);
  if (located.kind === "tensor") return { tensor: checkedTensor(located.tensor, preparation.spec) };
  const { tensor, encoded, left } = await prepared(located, call, preparation, { ...NOTHING, tensor: true });
  if (left === undefined) return { tensor: present(tensor), by: "node" };
  return { tensor: (await preparation.environment(present(encoded), false)).tensor, by: "worker" };
}

/**
 * The tensor, the cropped pixels, or the file where the environment has to read it; with what the call includes.
 *
 * @throws IsotorchError what is wrong with the input.
 */
export async function payloadOf(
  image: ImageInput,
  call: ResolvedClassifyOptions,
  handoff: Handoff,
  preparation: Preparation,
): Promise<Payload> {
  const located = await locate(image, preparation);
  if (located.kind === "tensor") {
    const tensor = checkedTensor(located.tensor, preparation.spec);
    return { picture: ofTensor(tensor), tensor };
  }
  const { tensor = false, pixels = false } = call.include;
  const includes = tensor || pixels;
  const isAsStored = call.exif === "ignore" && call.icc === "ignore" && call.mode === "convert-rgb";
  const goesEncoded = handoff === "encoded" && isAsStored && located.kind !== "pixels";
  const isLookedAt = goesEncoded && (preparation.hasEnvironment || !includes);
  const want: Want = {
    encoded: goesEncoded,
    pixels,
    cropped: handoff === "pixels",
    tensor: tensor || (handoff !== "pixels" && !goesEncoded),
  };
  const made = await prepared(located, call, preparation, isLookedAt ? NOTHING : want);
  if (isLookedAt || made.left !== undefined) {
    const encoded = present(made.encoded);
    if (isAsStored && !includes) return { picture: ofFile(encoded), by: "worker", laps: made.laps };
    const theirs = await preparation.environment(encoded, pixels);
    const laps = { ...made.laps, ...theirs.laps };
    const along = { tensor: theirs.tensor, pixels: theirs.pixels, by: "worker", laps } as const;
    if (goesEncoded) return { picture: ofFile(encoded), ...along };
    const usesPixels = handoff === "pixels" && preparation.attestation.node.includes("normalize-pixels");
    const { cropped, tensor: values } = theirs;
    const picture = usesPixels ? ofPixels(cropped) : ofTensor(values);
    return { picture, ...along };
  }
  const along = { tensor: made.tensor, pixels: made.pixels, by: "node", laps: made.laps } as const;
  if (goesEncoded) return { picture: ofFile(present(made.encoded)), ...along };
  if (handoff === "pixels") return { picture: ofPixels(present(made.cropped)), ...along };
  return { picture: ofTensor(present(made.tensor)), ...along };
}

function locate(image: ImageInput, { signal, limits }: Preparation): Promise<Located> {
  return locateImage(image, { signal, limits });
}

function prepared(
  source: Exclude<Located, { kind: "tensor" }>,
  { exif, icc, mode }: ResolvedClassifyOptions,
  { spec, attestation, limits, signal, prepare }: Preparation,
  want: Want,
): Promise<Prepared> {
  return prepare({ source, spec, attestation, limits, decode: { exif, icc, mode }, want }, signal);
}

function present<T>(value: T | undefined): T {
  if (value === undefined) throw new Error("the preparation left out what was asked for");
  return value;
}

/** What the environment is asked for these bytes. */
export function toDecode(
  bytes: Uint8Array,
  { exif, icc, mode }: ResolvedClassifyOptions,
  { spec, limits }: Pick<Preparation, "spec" | "limits">,
  picture: boolean,
): ToDecode {
  return { bytes, exif, icc, mode, maxPixels: limits.pixels, spec, picture };
}

/** @throws IsotorchError `BAD_TENSOR` unless the shape is `[1,3,height,width]`. */
function checkedTensor(tensor: Tensor, spec: InputSpec): Tensor {
  const { width, height } = cropSize(spec);
  const expected = [1, 3, height, width];
  if (tensor.shape.join() === expected.join()) return tensor;
  throw new IsotorchError(
    "BAD_TENSOR",
    `The tensor has shape [${tensor.shape.join()}], expected [${expected.join()}].`,
  );
}

function ofTensor(tensor: Tensor): Picture {
  return { handoff: "tensor", tensor };
}

function ofPixels(pixels: Pixels): Picture {
  return { handoff: "pixels", pixels };
}

function ofFile(bytes: Uint8Array): Picture {
  return { handoff: "encoded", bytes };
}
