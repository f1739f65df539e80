/** From an input to what crosses to the worker: read, decode, resize and crop, normalise. Runs in whichever thread calls it. */
import { IsotorchError } from "../errors.ts";
import { Stopwatch } from "../stopwatch.ts";
import { throwIfAborted } from "./bounded.ts";
import { type DecodeOptions, decode } from "./decode.ts";
import { decoderFor } from "./format.ts";
import type { InputSpec, Pixels } from "./geometry.ts";
import { resizeAndCrop } from "./resample.ts";
import { type Located, readImageFile } from "./source.ts";
import { pixelsToTensor, type Tensor } from "./tensor.ts";

/** One picture and what is to be made of it. Plain data: it crosses from thread to thread. */
export interface Job {
  readonly source: Exclude<Located, { kind: "tensor" }>;
  readonly spec: InputSpec;
  readonly decode: DecodeOptions;
  /** Whether the file itself will do where only Pillow decodes it. */
  readonly fileWillDo: boolean;
  readonly want: Want;
}

/** What is asked for; what nobody asks for is not made. */
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
  /** `made`: what was asked for. `encoded`: the file alone, which will do. `pillow`: the file alone; Pillow decodes it. */
  readonly kind: "made" | "encoded" | "pillow";
  readonly encoded?: Uint8Array;
  readonly pixels?: Pixels;
  readonly cropped?: Pixels;
  readonly tensor?: Tensor;
  /** Milliseconds by step: `read`, `decode`, `preprocess`. */
  readonly laps: Readonly<Record<string, number>>;
}

/**
 * Prepares one picture. Pillow has the last word on damage: it reads some files that sharp refuses.
 *
 * @throws IsotorchError as `readImageFile`, `decoderFor` and `decode` do, but for `DECODE_FAILED`; `ABORTED` between two steps.
 */
export async function prepare(job: Job, signal?: AbortSignal): Promise<Prepared> {
  const clock = new Stopwatch();
  const { laps } = clock;
  const { source } = job;
  if (source.kind === "pixels") return { kind: "made", ...makeOf(source.pixels, job, clock), laps };
  const encoded = source.kind === "file" ? readImageFile(source.path, { signal }) : source.bytes;
  clock.lap("read");
  const { want, fileWillDo } = job;
  if (!want.pixels && !want.cropped && !want.tensor) return { kind: "encoded", encoded, laps };
  if (decoderFor(encoded).decoder === "worker") {
    return { kind: fileWillDo ? "encoded" : "pillow", encoded, laps };
  }
  try {
    const pixels = await decode(encoded, job.decode);
    clock.lap("decode");
    throwIfAborted(signal);
    return { kind: "made", ...(want.encoded && { encoded }), ...makeOf(pixels, job, clock), laps };
  } catch (error) {
    if (!(error instanceof IsotorchError) || error.code !== "DECODE_FAILED") throw error;
    return { kind: "pillow", encoded, laps };
  }
}

function makeOf(pixels: Pixels, { spec, want }: Job, clock: Stopwatch): Partial<Prepared> {
  const cropped = want.tensor || want.cropped ? resizeAndCrop(pixels, spec) : undefined;
  const tensor = cropped && want.tensor ? pixelsToTensor(cropped, spec) : undefined;
  clock.lap("preprocess");
  return {
    ...(want.pixels && { pixels }),
    ...(cropped && want.cropped && { cropped }),
    ...(tensor && { tensor }),
  };
}
