/** The whole path from a picture to its classes; it is joined here and nowhere else. */
import { DRAIN_MS } from "../base/async/accepted.ts";
import { closedError } from "../base/errors.ts";
import type { Backend, ClassifierNetwork, Health, Phase, WorkerStats } from "../backend.ts";
import { outOfMemory } from "../base/memory.ts";
import { pictures } from "../image/pool.ts";
import { limitsOf } from "../image/source/limits.ts";
import { keepFailure } from "../image/source/streams.ts";
import type { AttestedEnvironment } from "../image/attest/attestation.ts";
import type { ImageInput, Limits } from "../image/source/source.ts";
import type { Tensor } from "../image/tensor.ts";
import { withinDeadline } from "../base/time/deadline.ts";
import { attesting } from "./attesting.ts";
import { lastOf } from "../base/async/written.ts";
import { guarded, guardedCall } from "../base/callbacks.ts";
import { payloadOf, tensorOf, toDecode } from "./handoff.ts";
import type { Preparation, PreparedBy } from "./handoff.ts";
import { StageTimes } from "../base/time/histogram.ts";
import type { Histogram } from "../base/time/histogram.ts";
import type { ClassifierInfo } from "./info.ts";
import { chooseLabels, readLabels } from "./labels/labels.ts";
import { unlabelled } from "./labels/unlabelled.ts";
import { PictureByPicture } from "./lists.ts";
import { topOf } from "./result.ts";
import type { Classification, DetailedResult, Embedding } from "./result.ts";
import { Stopwatch } from "../base/time/stopwatch.ts";
import { checkDrain, checkTopK, resolveClassifierOptions, resolveClassifyOptions } from "./resolved.ts";
import type {
  ClassifierOptions,
  ClassifyOptions,
  EmbedOptions,
  Handoff,
  ResolvedClassifierOptions,
  ResolvedClassifyOptions,
} from "./options.ts";
import { startClassifier } from "./start.ts";

export type { Classification, DetailedResult, Embedding } from "./result.ts";

/** Counts and times since the start. */
export interface Stats extends WorkerStats {
  /**
   * Where the time of the answered calls went: `total`, of it `picture` and `worker`; `picture` is `read`, `decode`,
   * `preprocess` and waiting for a decoder, `worker` its own `queue`, `prepare`, `forward` and `rank`, and the way there.
   */
  readonly stages: Readonly<Record<string, Histogram>>;
  /** Pictures of answered calls, by who made of them what the network sees; see {@link DetailedResult.preprocessedBy}. */
  readonly preprocessed: Readonly<Record<PreparedBy, number>>;
}

/** A running worker, or remote servers, behind an async API. Every call settles exactly once. */
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
  /**
   * Embeddings: what the network's head is given, of each picture as many values as `info().embedding` says. The same bits as a
   * forward hook on the head sees in plain PyTorch; of SqueezeNet, whose head is a convolution, the mean over the places.
   */
  embed(image: ImageInput, options?: EmbedOptions): Promise<Embedding>;
  embed(images: readonly ImageInput[], options?: EmbedOptions): Promise<Embedding[]>;
  /**
   * What the network would see: float32 [1,3,H,W], the same bits as torchvision's transforms.
   *
   * @throws IsotorchError `UNSUPPORTED_FORMAT` for a file that only Pillow can prepare, where servers of `remote` answer: they
   * give back no pictures.
   */
  preprocess(image: ImageInput, options?: ClassifyOptions): Promise<Tensor>;
  /** The tutorial's `dir(models)`. */
  models(): Promise<string[]>;
  /** Versions, device, threads, weights with their hash: what was chosen; of servers elsewhere, what they say. */
  info(): ClassifierInfo;
  /** Where the worker is in its life; `ready` only where it answered a moment ago and keeps no call waiting. */
  health(): Health;
  /** Counts and times since the start. */
  stats(): Stats;
  /** Hears of every change of `health().phase`. @returns what ends the listening. */
  on(event: "state", listener: (phase: Phase) => void): () => void;
  /**
   * Swaps weights or settings without downtime: a new worker is started and warmed, calls go to it from then on, the
   * old one finishes what it has, also after this has resolved. Options that are not given stay as they are, but for
   * `signal`, which aborts one start alone.
   *
   * @throws IsotorchError as `createClassifier`; the old worker stays then.
   */
  reload(options: ClassifierOptions): Promise<void>;
  /**
   * Accepts no more calls, lets those that were accepted finish, stops the worker, leaves nothing behind. Idempotent.
   *
   * @param options.drainMs milliseconds until the calls that are left fail with `CLOSED`; `Infinity` waits for all. @default 30000
   * @throws IsotorchError `INVALID_OPTION` for anything else.
   */
  close(options?: { readonly drainMs?: number }): Promise<void>;
}

/**
 * Starts a worker, or connects to the servers of `remote`.
 *
 * @returns a classifier that is ready: network loaded, checkpoint verified, warmed up.
 * @throws IsotorchError with what is missing and how to mend it.
 * @example
 * await using classifier = await createClassifier();
 * const [best] = await classifier.classify("dog.jpg");
 */
export async function createClassifier(options?: ClassifierOptions): Promise<Classifier> {
  const resolved = guarded(resolveClassifierOptions(options));
  const listeners = new Set<(phase: Phase) => void>();
  const leavePictures = pictures.enter();
  try {
    // The signal aborts this start alone, and no later one.
    const { signal: _, ...kept } = options ?? {};
    return new BackendClassifier(await open(resolved, listeners), kept, listeners, leavePictures);
  } catch (error) {
    await leavePictures();
    throw outOfMemory(error) ?? error;
  }
}

/** Whoever answers, with the labels that belong to the answers. */
interface Opened {
  readonly pool: Backend;
  readonly network: () => ClassifierNetwork;
  /** What runs now. */
  readonly info: () => ClassifierInfo;
  readonly labels: readonly string[];
  readonly handoff: Handoff;
  readonly limits: Limits;
  readonly attestation: () => AttestedEnvironment;
  /** Calls that it answers. */
  readonly answering: Set<Promise<unknown>>;
}

async function open(
  options: ResolvedClassifierOptions,
  listeners: Set<(phase: Phase) => void>,
): Promise<Opened> {
  const given = await readLabels(options.labels, (sentence) => options.logger?.warn(sentence));
  // Beside the worker's start, which does the same. Whoever awaits it hears of a failure.
  const own = pictures.attest();
  own.catch(() => undefined);
  const onPhase = (phase: Phase): void => {
    for (const listener of listeners)
      guardedCall('A listener of "state"', options.logger, () => listener(phase));
  };
  // Until Python is spawned every module counts: whoever has a worker of their own loads nothing of remote servers.
  const start =
    options.remote === undefined ? startClassifier : (await import("../remote/start.ts")).startRemote;
  const worker = await start(options, onPhase);
  try {
    const attestation = attesting(worker.network, await own, options.logger);
    const remarks = options.labels === undefined ? unlabelled(worker.info()) : [];
    const info = (): ClassifierInfo => remarked({ ...worker.info(), attestation: attestation() }, remarks);
    const { handoff, weights } = info();
    if ("remarks" in weights) for (const remark of weights.remarks) options.logger?.warn(remark);
    const labels = chooseLabels(given, worker.network().categories);
    const limits = limitsOf(options.limits);
    const { pool, network } = worker;
    return { pool, network, info, attestation, handoff, limits, labels, answering: new Set() };
  } catch (error) {
    await worker.pool.close(0);
    throw error;
  }
}

/** With what the labels leave open beside what the worker said of the file. */
function remarked(info: ClassifierInfo, remarks: readonly string[]): ClassifierInfo {
  if (info.environment === "remote") return info;
  const { weights } = info;
  return { ...info, weights: { ...weights, remarks: [...weights.remarks, ...remarks] } };
}

const INCLUDES = ["logits", "probabilities", "embedding"] as const;

class BackendClassifier extends PictureByPicture implements Classifier {
  #worker: Opened;
  /** As they were given: what a `reload` leaves out stays. */
  #options: ClassifierOptions;
  #reloading: Promise<void> = Promise.resolve();
  /** Workers of before a `reload` that still answer. */
  readonly #retiring = new Set<Promise<void>>();
  /** Fires when the close no longer waits for the start of a `reload`. */
  readonly #ending = new AbortController();
  readonly #times = new StageTimes();
  readonly #preprocessed = { node: 0, worker: 0 };
  readonly #listeners: Set<(phase: Phase) => void>;
  readonly #leavePictures: () => Promise<void>;

  constructor(
    worker: Opened,
    options: ClassifierOptions,
    listeners: Set<(phase: Phase) => void>,
    leavePictures: () => Promise<void>,
  ) {
    super();
    this.#worker = worker;
    this.#options = options;
    this.#listeners = listeners;
    this.#leavePictures = leavePictures;
  }

  protected override get prefetch(): number {
    return this.#worker.pool.prefetch;
  }

  protected override async answer(image: ImageInput, options?: ClassifyOptions): Promise<DetailedResult> {
    const { classes, timeoutMs } = this.info();
    const call = resolveClassifyOptions(options, timeoutMs);
    checkTopK(options?.topK, classes);
    return this.#by(call, async (worker, signal) => {
      const clock = new Stopwatch();
      const handoff = call.handoff ?? worker.handoff;
      const payload = await payloadOf(image, call, handoff, preparationOf(worker, call, signal));
      clock.lap("picture");
      const { picture, tensor, pixels, by } = payload;
      const wanted = call.include;
      const include = INCLUDES.filter((name) => wanted[name] === true);
      const { pool, labels, limits } = worker;
      const { topK, activation, requestId, traceparent } = call;
      const input = { picture, topK, activation, include, maxPixels: limits.pixels };
      const deadlineMs = call.timeoutMs || null;
      const answer = await lastOf(
        pool.run("classify", input, { signal, deadlineMs, requestId, traceparent }),
      );
      clock.lap("worker");
      const laps = { ...payload.laps, ...clock.laps, ...answer.timings };
      this.#times.record({ ...laps, total: clock.total });
      if (by !== undefined) this.#preprocessed[by] += 1;
      const { logits, probabilities, embedding, batch } = answer;
      return {
        top: topOf(answer, labels, call.threshold),
        ...(logits && { logits }),
        ...(probabilities && { probabilities }),
        ...(embedding && { embedding: { data: embedding, shape: [embedding.length] } }),
        ...(wanted.tensor === true && tensor && { tensor }),
        ...(wanted.pixels === true && pixels && { pixels }),
        ...(by && { preprocessedBy: by }),
        ...(wanted.timings === true && { timings: laps }),
        // A remote server does not say it.
        ...(wanted.timings === true && batch !== undefined && { batch }),
      };
    });
  }

  override async preprocess(image: ImageInput, options?: ClassifyOptions): Promise<Tensor> {
    const call = resolveClassifyOptions(options, this.info().timeoutMs);
    keepFailure(image);
    return this.calls.accept(() =>
      this.#by(call, async (worker, signal) => {
        const made = await tensorOf(image, call, preparationOf(worker, call, signal));
        return made.tensor;
      }),
    );
  }

  models(): Promise<string[]> {
    return Promise.resolve([...this.#worker.network().models]);
  }

  info(): ClassifierInfo {
    return this.#worker.info();
  }

  health(): Health {
    return this.#worker.pool.health();
  }

  stats(): Stats {
    return {
      ...this.#worker.pool.stats(),
      stages: this.#times.snapshot(),
      preprocessed: { ...this.#preprocessed },
    };
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

  async close({ drainMs = DRAIN_MS }: { readonly drainMs?: number } = {}): Promise<void> {
    checkDrain(drainMs);
    await this.calls.drain(drainMs);
    this.#ending.abort(closedError());
    await this.#worker.pool.close(0);
    await this.#reloading;
    await Promise.allSettled(this.#retiring);
    await this.#leavePictures();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #reload(options: ClassifierOptions): Promise<void> {
    if (this.calls.closed) throw closedError();
    const { signal, ...kept } = options;
    const given = { ...this.#options, ...kept };
    const enders = [this.#ending.signal, ...(signal === undefined ? [] : [signal])];
    const resolved = guarded(resolveClassifierOptions({ ...given, signal: AbortSignal.any(enders) }));
    const before = this.#worker;
    const opened = await open(resolved, this.#listeners);
    if (this.calls.closed) {
      await opened.pool.close(0);
      throw closedError();
    }
    // From here on calls go to the new worker; the old one finishes what it has.
    this.#worker = opened;
    this.#options = given;
    const retired = this.#retire(before);
    // A picture that is still arriving keeps the old worker, and not whoever waits for the new one.
    if (before.answering.size === 0) await retired;
  }

  /** Closes a worker that gets no more calls once it has answered those that it has. */
  async #retire(worker: Opened): Promise<void> {
    const retired = Promise.allSettled(worker.answering).then(() => worker.pool.close());
    this.#retiring.add(retired);
    await retired.finally(() => this.#retiring.delete(retired));
  }

  /** Runs a call to its end by one worker: a reload must not mix one's preprocessing with another one's answer. */
  async #by<T>(
    call: ResolvedClassifyOptions,
    work: (worker: Opened, signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const worker = this.#worker;
    const { abandoned } = this.calls;
    const running = withinDeadline({ ...call, abandoned }, (signal) => work(worker, signal));
    worker.answering.add(running);
    try {
      return await running;
    } finally {
      worker.answering.delete(running);
    }
  }
}

/** A process of Node's prepares the picture; what is not attested, the worker does. */
function preparationOf(
  { pool, network, limits, attestation }: Opened,
  call: ResolvedClassifyOptions,
  signal: AbortSignal,
): Preparation {
  const { spec } = network();
  const { digests: _, ...attested } = attestation();
  return {
    spec,
    attestation: attested,
    limits,
    signal,
    prepare: (job) => pictures.run(job, signal),
    hasEnvironment: pool.tasks.includes("decode"),
    environment: (bytes, picture) => {
      const input = toDecode(bytes, call, { spec, limits }, picture);
      return lastOf(pool.run("decode", input, { signal, deadlineMs: call.timeoutMs || null }));
    },
  };
}
