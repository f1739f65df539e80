/** From an input to what crosses to the worker: read, decode, resize and crop, normalise. Runs in whichever process calls it. */
import { IsotorchError } from "../base/errors.ts";
import { Stopwatch } from "../base/time/stopwatch.ts";
import { type Attestation, firstAxis, leftOfKind } from "./attest/attestation.ts";
import { cropName } from "./attest/built-in.ts";
import { throwIfAborted } from "./source/bounded.ts";
import { type DecodeOptions, decode } from "./decode/decode.ts";
import { doubtOf, readHeader } from "./format.ts";
import type { InputSpec, Pixels, Size } from "./resample/geometry.ts";
import { ppmOf } from "./decode/ppm.ts";
import { resizeAndCrop } from "./resample/resample.ts";
import { type Limits, type Located, readImageFile } from "./source/source.ts";
import { pixelsToTensor, type Tensor } from "./tensor.ts";

/** One picture and what is to be made of it. Plain data: it crosses from process to process. */
export interface Job {
  readonly source: Exclude<Located, { kind: "tensor" }>;
  readonly spec: InputSpec;
  /** What Node may make of it: where its bytes are those of the environment. */
  readonly attestation: Attestation;
  readonly limits: Limits;
  readonly decode: DecodeOptions;
  readonly want: Want;
  /** Where a relative path of a file starts. @default the folder of the process that reads it */
  readonly folder?: string;
}

/** What is asked for; what nobody asks for is not made. Where nothing is, the file is only read and looked at. */
export interface Want {
  /** The file as it is. */
  readonly encoded: boolean;
  /** The decoded picture. */
  readonly pixels: boolean;
  /** What the network sees of it. */
  readonly cropped: boolean;
  readonly tensor: boolean;
}

/** What was made of a picture; all of it is memory of its own that may be handed on. */
export interface Prepared {
  /** The file, if it was asked for or is left to the worker; of raw pixels that are left, one made of them. */
  readonly encoded?: Uint8Array;
  /** Why the worker has to prepare it, in a phrase; then there is nothing below. */
  readonly left?: string;
  readonly pixels?: Pixels;
  readonly cropped?: Pixels;
  readonly tensor?: Tensor;
  /** Milliseconds by step: `read`, `decode`, `preprocess`. */
  readonly laps: Readonly<Record<string, number>>;
}

/**
 * Prepares one picture. Pillow has the last word on damage: it reads some files that sharp refuses.
 *
 * @throws IsotorchError as `readImageFile`, `readHeader` and `decode` do, but for `DECODE_FAILED`; `ABORTED` between two steps.
 */
export async function prepare(job: Job, signal?: AbortSignal): Promise<Prepared> {
  const clock = new Stopwatch();
  const { laps } = clock;
  const { source, limits, folder } = job;
  if (source.kind === "pixels") {
    const left = leftOfSize(job, source.pixels);
    if (left !== undefined) return { encoded: ppmOf(source.pixels), left, laps };
    return { ...makeOf(source.pixels, job, clock), laps };
  }
  const encoded =
    source.kind === "file" ? readImageFile(source.path, { signal, limits, folder }) : source.bytes;
  clock.lap("read");
  const header = readHeader(encoded, limits);
  const left = doubtOf(header, job.decode) ?? leftOfKind(job.attestation, header) ?? leftOfTurn(job, header);
  const wantsNothing = !job.want.pixels && !job.want.cropped && !job.want.tensor;
  if (wantsNothing || left !== undefined) return { encoded, ...(left !== undefined && { left }), laps };
  try {
    const pixels = await decode(encoded, job.decode, limits);
    clock.lap("decode");
    throwIfAborted(signal);
    return { ...(job.want.encoded && { encoded }), ...makeOf(pixels, job, clock), laps };
  } catch (error) {
    if (!(error instanceof IsotorchError) || error.code !== "DECODE_FAILED") throw error;
    return { encoded, left: error.message, laps };
  }
}

/** Whether the picture that a file holds may be resized here, and turned where that is asked for. */
function leftOfTurn(
  job: Job,
  { width, height, orientation }: Size & { readonly orientation?: number | undefined },
) {
  const turns = job.decode.exif === "apply" && orientation !== undefined && orientation > 1;
  if (turns && !job.attestation.node.includes("orientation")) return "this Pillow turns pictures otherwise";
  return leftOfSize(job, turns && orientation > 4 ? { width: height, height: width } : { width, height });
}

function leftOfSize({ attestation, spec, want }: Job, size: Size): string | undefined {
  if (!want.cropped && !want.tensor) return undefined;
  if (firstAxis(attestation, size, spec) === undefined) return "this Pillow resizes such a picture otherwise";
  const { node } = attestation;
  if (!node.includes(cropName(spec))) return "this torchvision crops otherwise";
  if (want.tensor && !node.includes("normalize")) return "this torchvision normalises otherwise";
  return want.cropped && !node.includes("normalize-pixels")
    ? "this PyTorch normalises pixels otherwise"
    : undefined;
}

function makeOf(pixels: Pixels, { spec, want, attestation }: Job, clock: Stopwatch): Partial<Prepared> {
  const first = firstAxis(attestation, pixels, spec);
  const cropped = want.tensor || want.cropped ? resizeAndCrop(pixels, spec, { first }) : undefined;
  const tensor = cropped && want.tensor ? pixelsToTensor(cropped, spec) : undefined;
  clock.lap("preprocess");
  return {
    ...(want.pixels && { pixels }),
    ...(cropped && want.cropped && { cropped }),
    ...(tensor && { tensor }),
  };
}
