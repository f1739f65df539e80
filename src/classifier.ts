/** The whole path from a picture to its classes; it is joined here and nowhere else. */
import { decoderFor } from "./image/format.ts";
import { preprocessPixels } from "./image/preprocess.ts";
import { resizeAndCrop } from "./image/resample.ts";
import { loadImage } from "./image/source.ts";
import type { ImageInput, LoadedImage, Pixels } from "./image/source.ts";
import { pixelsToTensor } from "./image/tensor.ts";
import type { Tensor } from "./image/tensor.ts";
import { withinDeadline } from "./deadline.ts";
import {
  checkedTensor,
  decodeRequest,
  decodedPixels,
  encodedPayload,
  pixelsOf,
  pixelsPayload,
  tensorPayload,
} from "./handoff.ts";
import type { Payload } from "./handoff.ts";
import { chooseLabels, readLabels } from "./labels.ts";
import { PictureByPicture } from "./lists.ts";
import { topOf } from "./result.ts";
import type { Classification, DetailedResult } from "./result.ts";
import { Stopwatch } from "./stopwatch.ts";
import { resolveClassifierOptions, resolveClassifyOptions } from "./options.ts";
import type {
  ClassifierOptions,
  ClassifyOptions,
  ResolvedClassifierOptions,
  ResolvedClassifyOptions,
} from "./options.ts";
import { startWorker } from "./worker/start.ts";
import type { StartedWorker, WorkerInfo } from "./worker/start.ts";
import type { Phase } from "./worker/supervise.ts";
import type { Health, Stats } from "./worker/supervisor.ts";
import { closedError } from "./worker/failure.ts";
import { floatsOf, frameOf } from "./worker/wire.ts";

export type { Classification, DetailedResult } from "./result.ts";

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
  /** Where the worker is in its life; `ready` only where it answered a moment ago. */
  health(): Health;
  /** Counts since the start. */
  stats(): Stats;
  /** Hears of every change of `health().phase`. @returns what ends the listening. */
  on(event: "state", listener: (phase: Phase) => void): () => void;
  /**
   * Swaps weights or settings without downtime: a new worker is started and warmed, calls go to it from then on, the
   * old one finishes what it has. Options that are not given stay as they are.
   *
   * @throws IsotorchError as `createClassifier`; the old worker stays then.
   */
  reload(options: ClassifierOptions): Promise<void>;
  /** Lets pending calls finish, stops the worker, leaves nothing behind. Idempotent. */
  close(options?: { readonly drainMs?: number }): Promise<void>;
}

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
  const listeners = new Set<(phase: Phase) => void>();
  return new LocalClassifier(await open(resolved, listeners), resolved, listeners);
}

/** A worker with the labels that belong to its answers. */
interface Opened extends StartedWorker {
  readonly labels: readonly string[];
}

async function open(
  options: ResolvedClassifierOptions,
  listeners: Set<(phase: Phase) => void>,
): Promise<Opened> {
  const given = await readLabels(options.labels);
  const worker = await startWorker(options, (phase) => {
    for (const listener of listeners) listener(phase);
  });
  try {
    return { ...worker, labels: chooseLabels(given, worker.supervisor.ready.categories) };
  } catch (error) {
    await worker.supervisor.close(0);
    throw error;
  }
}

class LocalClassifier extends PictureByPicture implements Classifier {
  #worker: Opened;
  #options: ResolvedClassifierOptions;
  #reloading: Promise<void> = Promise.resolve();
  #closed = false;
  readonly #listeners: Set<(phase: Phase) => void>;

  constructor(worker: Opened, options: ResolvedClassifierOptions, listeners: Set<(phase: Phase) => void>) {
    super();
    this.#worker = worker;
    this.#options = options;
    this.#listeners = listeners;
  }

  async classifyDetailed(image: ImageInput, options?: ClassifyOptions): Promise<DetailedResult> {
    const call = resolveClassifyOptions(options);
    return withinDeadline(call, async (signal) => {
      const clock = new Stopwatch();
      const loaded = await loadImage(image, { signal });
      clock.lap("read");
      // A reload meanwhile must not mix one worker's preprocessing with another one's answer.
      const worker = this.#worker;
      const payload = await this.#payload(worker, loaded, call, signal, clock);
      const { logits, probabilities, tensor, timings } = call.include;
      const include = [
        ...(logits === true ? ["logits"] : []),
        ...(probabilities === true ? ["probabilities"] : []),
      ];
      const { supervisor, labels } = worker;
      const reply = await supervisor.request(
        "infer",
        { handoff: payload.handoff, topK: call.topK, include, deadlineMs: call.timeoutMs || null },
        [payload.frame],
        { signal },
      );
      clock.lap("worker");
      return {
        top: topOf(reply, labels),
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
      const worker = this.#worker;
      const { spec } = worker.supervisor.ready;
      if (loaded.kind === "tensor") return checkedTensor(loaded.tensor, spec);
      return preprocessPixels(await pixelsOf(loaded, call, pillowIn(worker, call, signal)), spec);
    });
  }

  models(): Promise<string[]> {
    return Promise.resolve([...this.#worker.supervisor.ready.models]);
  }

  info(): WorkerInfo {
    return this.#worker.info();
  }

  health(): Health {
    return this.#worker.supervisor.health();
  }

  stats(): Stats {
    return this.#worker.supervisor.stats();
  }

  on(_event: "state", listener: (phase: Phase) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  reload(options: ClassifierOptions): Promise<void> {
    const reloaded = this.#reloading.then(() => this.#reload(options));
    this.#reloading = reloaded.catch(() => undefined);
    return reloaded;
  }

  async close({ drainMs }: { readonly drainMs?: number } = {}): Promise<void> {
    this.#closed = true;
    await this.#worker.supervisor.close(drainMs);
    await this.#reloading;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #reload(options: ClassifierOptions): Promise<void> {
    if (this.#closed) throw closedError();
    const resolved = resolveClassifierOptions({ ...this.#options, ...options });
    const before = this.#worker;
    const opened = await open(resolved, this.#listeners);
    if (this.#closed) return opened.supervisor.close(0);
    // From here on calls go to the new worker; the old one finishes what it has.
    this.#worker = opened;
    this.#options = resolved;
    await before.supervisor.close();
  }

  /** What crosses to the worker: the tensor, the cropped pixels, or the file where only Pillow reads it as Pillow does. */
  async #payload(
    worker: Opened,
    loaded: LoadedImage,
    call: ResolvedClassifyOptions,
    signal: AbortSignal,
    clock: Stopwatch,
  ): Promise<Payload> {
    const { spec } = worker.supervisor.ready;
    if (loaded.kind === "tensor") return tensorPayload(checkedTensor(loaded.tensor, spec));
    const handoff = call.handoff ?? this.#options.handoff;
    const asStored = call.exif === "ignore" && call.icc === "ignore" && call.mode === "convert-rgb";
    const wanted = call.include.tensor === true || call.include.pixels === true;
    const encoded = loaded.kind === "encoded" && asStored ? loaded.bytes : undefined;
    const goesEncoded =
      encoded !== undefined && (handoff === "encoded" || decoderFor(encoded).decoder === "worker");
    if (goesEncoded && !wanted) return encodedPayload(encoded);
    const pixels = await pixelsOf(loaded, call, pillowIn(worker, call, signal));
    clock.lap("decode");
    const cropped = resizeAndCrop(pixels, spec);
    const tensor = pixelsToTensor(cropped, spec);
    clock.lap("preprocess");
    if (goesEncoded && handoff === "encoded") return { ...encodedPayload(encoded), tensor, pixels };
    return { ...(handoff === "pixels" ? pixelsPayload(cropped) : tensorPayload(tensor)), tensor, pixels };
  }
}

/** Pillow's picture of these bytes, by way of the worker. */
function pillowIn({ supervisor }: StartedWorker, call: ResolvedClassifyOptions, signal: AbortSignal) {
  return async (bytes: Uint8Array): Promise<Pixels> =>
    decodedPixels(await supervisor.request(...decodeRequest(bytes, call), { signal }));
}
