/** The whole path from a picture to its classes; it is joined here and nowhere else. */
import { decoderFor } from "./image/format.ts";
import { preprocessPixels } from "./image/preprocess.ts";
import { resizeAndCrop } from "./image/resample.ts";
import { loadImage } from "./image/source.ts";
import type { ImageInput, LoadedImage, Pixels } from "./image/source.ts";
import type { InputSpec } from "./image/geometry.ts";
import { pixelsToTensor } from "./image/tensor.ts";
import type { Tensor } from "./image/tensor.ts";
import { withinDeadline } from "./deadline.ts";
import {
  checkedTensor,
  decodeInWorker,
  encodedPayload,
  pixelsOf,
  pixelsPayload,
  tensorPayload,
} from "./handoff.ts";
import type { Payload } from "./handoff.ts";
import { chooseLabels, readLabels } from "./labels.ts";
import { Stopwatch } from "./stopwatch.ts";
import { resolveClassifierOptions, resolveClassifyOptions, splitOptions } from "./options.ts";
import type {
  ClassifierOptions,
  ClassifyOptions,
  ResolvedClassifierOptions,
  ResolvedClassifyOptions,
} from "./options.ts";
import { specOf } from "./worker/known.ts";
import { startDecoder, startWorker } from "./worker/start.ts";
import type { StartedWorker, WorkerInfo } from "./worker/start.ts";
import { floatsOf, frameOf, integersOf } from "./worker/wire.ts";
import type { MessageOf } from "./worker/wire.ts";

/** One class with its probability. */
export interface Classification {
  readonly label: string;
  /** Position in the network's output, 0 to 999. */
  readonly index: number;
  /** Softmax, float32, 0 to 1. */
  readonly score: number;
  /** Softmax times 100 in float32, computed by torch: the number that the tutorial prints. */
  readonly percent: number;
}

export interface DetailedResult {
  /** Best first. */
  readonly top: readonly Classification[];
  /** Float32, one per class, with `include.logits`. */
  readonly logits?: Float32Array;
  /** Float32 softmax, one per class, with `include.probabilities`. */
  readonly probabilities?: Float32Array;
  /** What the network saw, float32 [1,3,224,224], with `include.tensor`. */
  readonly tensor?: Tensor;
  /** The decoded picture before any resizing, uint8 RGB, with `include.pixels`. */
  readonly pixels?: Pixels;
  /** Milliseconds by stage, with `include.timings`. */
  readonly timings?: Readonly<Record<string, number>>;
}

/** A running worker behind an async API. Every call settles exactly once. */
export interface Classifier extends AsyncDisposable {
  /** The best classes of a picture, or of each picture of a list, in its order. */
  classify(image: ImageInput, options?: ClassifyOptions): Promise<Classification[]>;
  classify(images: readonly ImageInput[], options?: ClassifyOptions): Promise<Classification[][]>;
  /** Like `classify(images)`, with a failure for each picture that failed instead of for all. */
  classifySettled(
    images: readonly ImageInput[],
    options?: ClassifyOptions,
  ): Promise<PromiseSettledResult<Classification[]>[]>;
  /** One picture, with what `include` asks for. */
  classifyDetailed(image: ImageInput, options?: ClassifyOptions): Promise<DetailedResult>;
  /** Pictures as they come, answers in their order; only a few pictures are in memory at a time. */
  classifyStream(
    images: Iterable<ImageInput> | AsyncIterable<ImageInput>,
    options?: ClassifyOptions,
  ): AsyncIterable<PromiseSettledResult<DetailedResult>>;
  /** What the network would see: float32 [1,3,224,224], the same bits as torchvision's transforms. */
  preprocess(image: ImageInput, options?: ClassifyOptions): Promise<Tensor>;
  /** The tutorial's `dir(models)`. */
  models(): Promise<string[]>;
  /** Versions, device, threads, weights with their hash: what was chosen. */
  info(): WorkerInfo;
  /** Lets pending calls finish, stops the worker, leaves nothing behind. Idempotent. */
  close(options?: { readonly drainMs?: number }): Promise<void>;
}

/** Pictures in preparation at a time: enough to keep decoder threads and the network busy. */
const AHEAD = 4;

/**
 * Starts a worker.
 *
 * @returns a classifier that is ready: network loaded, checkpoint verified, warmed up.
 * @throws IsotorchError with what is missing and how to mend it.
 * @example
 * await using classifier = await createClassifier();
 * const [best] = await classifier.classify("dog.jpg");
 */
export async function createClassifier(options?: ClassifierOptions): Promise<Classifier> {
  const resolved = resolveClassifierOptions(options);
  const given = await readLabels(resolved.labels);
  const worker = await startWorker(resolved);
  try {
    return new LocalClassifier(worker, resolved, chooseLabels(given, worker.session.ready.categories));
  } catch (error) {
    await worker.session.close();
    throw error;
  }
}

const shared = new Map<string, Promise<Classifier>>();

/**
 * Classifies one picture. The first call starts a worker; later calls with the same options share it, and the
 * process ends by itself when nothing is left to do.
 *
 * @example
 * const [best] = await classify("dog.jpg"); // { label: "golden retriever", index: 207, score: 0.96…, percent: 96.2… }
 */
export async function classify(
  image: ImageInput,
  options: ClassifyOptions & ClassifierOptions = {},
): Promise<Classification[]> {
  const [ofClassifier, ofCall] = splitOptions(options);
  resolveClassifyOptions(ofCall);
  const key = JSON.stringify(ofClassifier, Object.keys(ofClassifier).toSorted());
  let classifier = shared.get(key);
  if (classifier === undefined) {
    classifier = createClassifier(ofClassifier);
    classifier.catch(() => shared.delete(key));
    if (shared.size === 0) process.once("beforeExit", closeShared);
    shared.set(key, classifier);
  }
  return (await classifier).classify(image, ofCall);
}

function closeShared(): void {
  for (const classifier of shared.values()) void classifier.then((ready) => ready.close());
  shared.clear();
}

/**
 * What the network would see, without a network: no checkpoint is needed, and Python only for pictures that only
 * Pillow reads as Pillow does.
 *
 * @returns float32 [1,3,224,224], the same bits as torchvision's transforms of these weights.
 */
export async function preprocess(
  image: ImageInput,
  options: ClassifyOptions & Pick<ClassifierOptions, "transforms" | "python" | "env"> = {},
): Promise<Tensor> {
  const [ofClassifier, ofCall] = splitOptions(options);
  const { transforms = "IMAGENET1K_V1" } = resolveClassifierOptions(ofClassifier);
  const call = resolveClassifyOptions(ofCall);
  const spec = specOf(transforms);
  return withinDeadline(call, async (signal) => {
    const loaded = await loadImage(image, { signal });
    if (loaded.kind === "tensor") return checkedTensor(loaded.tensor, spec);
    const pillow = async (bytes: Uint8Array): Promise<Pixels> => {
      const session = await startDecoder({ ...ofClassifier, signal });
      try {
        return await decodeInWorker(session, bytes, call, signal);
      } finally {
        await session.close();
      }
    };
    return preprocessPixels(await pixelsOf(loaded, call, pillow), spec);
  });
}

class LocalClassifier implements Classifier {
  readonly #worker: StartedWorker;
  readonly #options: ResolvedClassifierOptions;
  readonly #labels: readonly string[];
  readonly #spec: InputSpec;

  constructor(worker: StartedWorker, options: ResolvedClassifierOptions, labels: readonly string[]) {
    this.#worker = worker;
    this.#options = options;
    this.#labels = labels;
    this.#spec = worker.info.spec;
  }

  classify(image: ImageInput, options?: ClassifyOptions): Promise<Classification[]>;
  classify(images: readonly ImageInput[], options?: ClassifyOptions): Promise<Classification[][]>;
  async classify(
    image: ImageInput | readonly ImageInput[],
    options?: ClassifyOptions,
  ): Promise<Classification[] | Classification[][]> {
    if (!isList(image)) return [...(await this.classifyDetailed(image, options)).top];
    const results = await this.classifySettled(image, options);
    return results.map((result) => {
      if (result.status === "rejected") throw result.reason;
      return result.value;
    });
  }

  async classifySettled(
    images: readonly ImageInput[],
    options?: ClassifyOptions,
  ): Promise<PromiseSettledResult<Classification[]>[]> {
    const results: PromiseSettledResult<Classification[]>[] = [];
    for await (const result of this.classifyStream(images, options)) {
      results.push(
        result.status === "fulfilled" ? { status: "fulfilled", value: [...result.value.top] } : result,
      );
    }
    return results;
  }

  async *classifyStream(
    images: Iterable<ImageInput> | AsyncIterable<ImageInput>,
    options?: ClassifyOptions,
  ): AsyncGenerator<PromiseSettledResult<DetailedResult>, void, undefined> {
    resolveClassifyOptions(options);
    const running: Promise<PromiseSettledResult<DetailedResult>>[] = [];
    for await (const image of images) {
      running.push(settled(this.classifyDetailed(image, options)));
      if (running.length < AHEAD) continue;
      const oldest = running.shift();
      if (oldest !== undefined) yield await oldest;
    }
    for (const rest of running) yield await rest;
  }

  async classifyDetailed(image: ImageInput, options?: ClassifyOptions): Promise<DetailedResult> {
    const call = resolveClassifyOptions(options);
    return withinDeadline(call, async (signal) => {
      const clock = new Stopwatch();
      const loaded = await loadImage(image, { signal });
      clock.lap("read");
      const payload = await this.#payload(loaded, call, signal, clock);
      const { logits, probabilities, tensor, timings } = call.include;
      const include = [
        ...(logits === true ? ["logits"] : []),
        ...(probabilities === true ? ["probabilities"] : []),
      ];
      const reply = await this.#worker.session.request(
        "infer",
        { handoff: payload.handoff, topK: call.topK, include, deadlineMs: call.timeoutMs || null },
        [payload.frame],
        { signal },
      );
      clock.lap("worker");
      return {
        top: this.#top(reply),
        ...(logits === true && { logits: floatsOf(frameOf(reply, "logits")) }),
        ...(probabilities === true && { probabilities: floatsOf(frameOf(reply, "probabilities")) }),
        ...(tensor === true && payload.tensor !== undefined && { tensor: payload.tensor }),
        ...(call.include.pixels === true && payload.pixels !== undefined && { pixels: payload.pixels }),
        ...(timings === true && { timings: { ...clock.laps, ...reply.fields.timings } }),
      };
    });
  }

  async preprocess(image: ImageInput, options?: ClassifyOptions): Promise<Tensor> {
    const call = resolveClassifyOptions(options);
    return withinDeadline(call, async (signal) => {
      const loaded = await loadImage(image, { signal });
      if (loaded.kind === "tensor") return checkedTensor(loaded.tensor, this.#spec);
      return preprocessPixels(
        await pixelsOf(loaded, call, (bytes) => this.#pillow(bytes, call, signal)),
        this.#spec,
      );
    });
  }

  models(): Promise<string[]> {
    return Promise.resolve([...this.#worker.session.ready.models]);
  }

  info(): WorkerInfo {
    return this.#worker.info;
  }

  close({ drainMs }: { readonly drainMs?: number } = {}): Promise<void> {
    return this.#worker.session.close(drainMs);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** What crosses to the worker: the tensor, the cropped pixels, or the file where only Pillow reads it as Pillow does. */
  async #payload(
    loaded: LoadedImage,
    call: ResolvedClassifyOptions,
    signal: AbortSignal,
    clock: Stopwatch,
  ): Promise<Payload> {
    if (loaded.kind === "tensor") return tensorPayload(checkedTensor(loaded.tensor, this.#spec));
    const { handoff } = this.#options;
    const asStored = call.exif === "ignore" && call.icc === "ignore" && call.mode === "convert-rgb";
    const wanted = call.include.tensor === true || call.include.pixels === true;
    const encoded = loaded.kind === "encoded" && asStored ? loaded.bytes : undefined;
    const goesEncoded =
      encoded !== undefined && (handoff === "encoded" || decoderFor(encoded).decoder === "worker");
    if (goesEncoded && !wanted) return encodedPayload(encoded);
    const pixels = await pixelsOf(loaded, call, (bytes) => this.#pillow(bytes, call, signal));
    clock.lap("decode");
    const cropped = resizeAndCrop(pixels, this.#spec);
    const tensor = pixelsToTensor(cropped, this.#spec);
    clock.lap("preprocess");
    if (goesEncoded && handoff === "encoded") return { ...encodedPayload(encoded), tensor, pixels };
    return { ...(handoff === "pixels" ? pixelsPayload(cropped) : tensorPayload(tensor)), tensor, pixels };
  }

  #pillow(bytes: Uint8Array, call: ResolvedClassifyOptions, signal: AbortSignal): Promise<Pixels> {
    return decodeInWorker(this.#worker.session, bytes, call, signal);
  }

  #top(reply: MessageOf<"result">): Classification[] {
    const scores = floatsOf(frameOf(reply, "scores"));
    const percentages = floatsOf(frameOf(reply, "percentages"));
    return integersOf(frameOf(reply, "indices")).map((index, rank) => ({
      label: this.#labels[index] ?? "",
      index,
      score: scores[rank] ?? Number.NaN,
      percent: percentages[rank] ?? Number.NaN,
    }));
  }
}

function isList(image: ImageInput | readonly ImageInput[]): image is readonly ImageInput[] {
  return Array.isArray(image);
}

async function settled<T>(promise: Promise<T>): Promise<PromiseSettledResult<T>> {
  const [result] = await Promise.allSettled([promise]);
  return result;
}
