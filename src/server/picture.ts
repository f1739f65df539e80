/** From the bytes of a picture, or a tensor, to its classes: decoding elsewhere, the network in the worker. */
import { isDeepStrictEqual } from "node:util";
import type { Classifier } from "../classification/classifier.ts";
import { withinDeadline } from "../base/time/deadline.ts";
import { IsotorchError } from "../base/errors.ts";
import type { Activation } from "../protocol/messages.ts";
import type { InputSpec, Pixels } from "../image/resample/geometry.ts";
import type { Limits } from "../image/source/limits.ts";
import type { Pool } from "../image/pool.ts";
import type { Want } from "../image/prepare.ts";
import { pixelsToTensor } from "../image/tensor.ts";
import type { Tensor } from "../image/tensor.ts";
import type { ClassifyOptions } from "../classification/options.ts";
import type { DetailedResult } from "../classification/result.ts";

/** How a picture is read, as in `ClassifyOptions`. */
export type Reading = Required<Pick<ClassifyOptions, "exif" | "icc" | "mode">>;

/** What one picture is asked for. */
export interface Asked {
  readonly topK: number;
  readonly include: NonNullable<ClassifyOptions["include"]>;
  readonly activation: Activation;
  readonly threshold: number;
  readonly signal: AbortSignal;
  readonly remainingMs: () => number;
  /** Hears of the work that holds the bytes, which may end after the call. */
  readonly holds: (work: Promise<unknown>) => void;
}

/** An answer with what was made on the way to it. */
export interface Answered {
  readonly result: DetailedResult;
  /** What the network saw, uint8 RGB; undefined where the worker cropped it by itself. */
  readonly crop: Pixels | undefined;
  /** Milliseconds by stage. */
  readonly timings: Readonly<Record<string, number>>;
}

const CROPPED: Want = { encoded: false, pixels: false, cropped: true, tensor: false };
const PICTURE: Want = { encoded: false, pixels: true, cropped: false, tensor: false };

/** As Pillow reads by default. */
export const AS_STORED: Reading = { exif: "ignore", icc: "ignore", mode: "convert-rgb" };

export class Pictures {
  readonly #classifier: Classifier;
  readonly #decoder: Pool;
  readonly #limits: Limits;

  constructor(classifier: Classifier, decoder: Pool, limits: Limits) {
    this.#classifier = classifier;
    this.#decoder = decoder;
    this.#limits = limits;
  }

  /** Classifies an encoded picture. @throws IsotorchError */
  encoded(bytes: Uint8Array, reading: Reading, asked: Asked): Promise<Answered> {
    return within(asked, async (signal) => {
      const started = performance.now();
      const { spec, attestation } = this.#classifier.info();
      const decoding = this.#decode(bytes, reading, CROPPED, { ...asked, signal });
      asked.holds(decoding);
      const decoded = await decoding;
      if (decoded === undefined || !attestation.node.includes("normalize")) {
        return this.#byPillow(bytes, reading, { ...asked, signal });
      }
      this.#refuseOther(spec);
      const spent = Object.values(decoded.timings).reduce((sum, ms) => sum + ms, 0);
      const handover = Math.max(0, performance.now() - started - spent);
      const answered = await this.#network(pixelsToTensor(decoded.pixels, spec), { ...asked, signal });
      return {
        ...answered,
        crop: decoded.pixels,
        timings: { handover, ...decoded.timings, ...answered.timings },
      };
    });
  }

  /** Classifies what was preprocessed already. @throws IsotorchError */
  tensor(tensor: Tensor, asked: Asked): Promise<Answered> {
    return within(asked, (signal) => this.#network(tensor, { ...asked, signal }));
  }

  /** The whole picture, decoded in another process; undefined where only Pillow reads it. @throws IsotorchError */
  async pixels(bytes: Uint8Array, { signal }: Pick<Asked, "signal">): Promise<Pixels | undefined> {
    return (await this.#decode(bytes, AS_STORED, PICTURE, { signal }))?.pixels;
  }

  /** In another process; undefined where only Pillow, in the worker, can tell what is in it. */
  async #decode(
    bytes: Uint8Array,
    reading: Reading,
    want: Want,
    asked: Pick<Asked, "signal"> & Partial<Pick<Asked, "holds">>,
  ) {
    const { spec, attestation } = this.#classifier.info();
    const source = { kind: "encoded", bytes } as const;
    const job = { source, spec, attestation, limits: this.#limits, decode: reading, want };
    const { left, pixels, cropped, laps } = await this.#decoder.run(job, asked.signal, asked.holds);
    const made = cropped ?? pixels;
    if (left !== undefined || made === undefined) return undefined;
    const { read: _, ...timings } = laps;
    return { pixels: made, timings };
  }

  async #network(tensor: Tensor, asked: Asked): Promise<Answered> {
    const { topK, include, activation, threshold, signal, remainingMs } = asked;
    const options = {
      topK,
      activation,
      threshold,
      signal,
      timeoutMs: remainingMs(),
      include: { ...include, timings: true },
    };
    const { timings, ...result } = await this.#classifier.classifyDetailed(tensor, options);
    return { result, crop: undefined, timings: timings ?? {} };
  }

  /** The file itself goes to the worker. No decoder runs in this process. */
  async #byPillow(
    bytes: Uint8Array,
    reading: Reading,
    { topK, include, activation, threshold, signal, remainingMs, holds }: Asked,
  ): Promise<Answered> {
    const { spec, environment } = this.#classifier.info();
    // Servers elsewhere give none back, and strangers' pictures are not decoded in this process to show their crop.
    const tensor = include.tensor === true && environment !== "remote";
    const answering = this.#classifier.classifyDetailed(bytes, {
      ...reading,
      topK,
      activation,
      threshold,
      signal,
      timeoutMs: remainingMs(),
      include: { ...include, tensor, timings: true },
      handoff: "encoded",
    });
    holds(answering);
    const { timings = {}, ...result } = await answering;
    const crop = result.tensor === undefined ? undefined : tensorToPixels(result.tensor, spec);
    return { result, crop, timings };
  }

  /** A reload meanwhile must not mix one network's preprocessing with another one's answer. */
  #refuseOther(spec: InputSpec): void {
    const now = this.#classifier.info().spec;
    if (isDeepStrictEqual(now, spec)) return;
    throw new IsotorchError("QUEUE_FULL", "The weights were swapped while the picture was read.", {
      hint: "Send it again.",
      retryAfterMs: 1,
    });
  }
}

/** The pixels that a tensor was made of: the normalisation undone, which rounding makes exact. */
function tensorToPixels({ data, shape }: Tensor, { mean, std }: InputSpec): Pixels {
  const [, , height = 0, width = 0] = shape;
  const plane = width * height;
  const pixels = new Uint8Array(3 * plane);
  for (const channel of [0, 1, 2]) {
    for (let at = 0; at < plane; at++) {
      const value = (data[channel * plane + at]! * std[channel]! + mean[channel]!) * 255;
      pixels[at * 3 + channel] = Math.round(value);
    }
  }
  return { data: pixels, width, height };
}

function within<T>(asked: Asked, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  return withinDeadline({ signal: asked.signal, timeoutMs: asked.remainingMs() }, work);
}
