/** The whole path from a picture to its classes; it is joined here and nowhere else. */
import { pictures } from "./image/pool.ts";
import type { ImageInput, Pixels } from "./image/source.ts";
import type { Tensor } from "./image/tensor.ts";
import { withinDeadline } from "./deadline.ts";
import { decodeRequest, decodedPixels, payloadOf, tensorOf } from "./handoff.ts";
import type { Hands } from "./handoff.ts";
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
  const leavePictures = pictures.enter();
  try {
    return new LocalClassifier(await open(resolved, listeners), resolved, listeners, leavePictures);
  } catch (error) {
    await leavePictures();
    throw error;
  }
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
  readonly #leavePictures: () => Promise<void>;

  constructor(
    worker: Opened,
    options: ResolvedClassifierOptions,
    listeners: Set<(phase: Phase) => void>,
    leavePictures: () => Promise<void>,
  ) {
    super();
    this.#worker = worker;
    this.#options = options;
    this.#listeners = listeners;
    this.#leavePictures = leavePictures;
  }

  async classifyDetailed(image: ImageInput, options?: ClassifyOptions): Promise<DetailedResult> {
    const call = resolveClassifyOptions(options);
    return withinDeadline(call, async (signal) => {
      const clock = new Stopwatch();
      // A reload meanwhile must not mix one worker's preprocessing with another one's answer.
      const worker = this.#worker;
      const hands = handsOf(worker, call, signal);
      const payload = await payloadOf(image, call, this.#options.handoff, hands);
      clock.lap("picture");
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
        ...(timings === true && { timings: { ...payload.laps, ...clock.laps, ...reply.fields.timings } }),
      };
    });
  }

  async preprocess(image: ImageInput, options?: ClassifyOptions): Promise<Tensor> {
    const call = resolveClassifyOptions(options);
    return withinDeadline(call, (signal) => tensorOf(image, call, handsOf(this.#worker, call, signal)));
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
    await this.#leavePictures();
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
}

/** A thread prepares the picture; what only Pillow decodes, the worker does. */
function handsOf({ supervisor }: StartedWorker, call: ResolvedClassifyOptions, signal: AbortSignal): Hands {
  return {
    spec: supervisor.ready.spec,
    signal,
    prepare: (job) => pictures.run(job, signal),
    pillow: async (bytes: Uint8Array): Promise<Pixels> =>
      decodedPixels(await supervisor.request(...decodeRequest(bytes, call), { signal })),
  };
}
