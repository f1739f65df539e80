import {
  DEFAULT_MODEL,
  defaultTransforms,
  isWeightsName,
  isWeightsOf,
  knownModel,
  specOf,
} from "../checkpoints/table.ts";
import { DRAIN_MS } from "../base/async/accepted.ts";
import { guardedCall } from "../base/callbacks.ts";
import type { Classification, Classifier, DetailedResult, Stats } from "../classification/classifier.ts";
import { withinDeadline } from "../base/time/deadline.ts";
import { IsotorchError, closedError, messageOf } from "../base/errors.ts";
import { StageTimes } from "../base/time/histogram.ts";
import { readHeader } from "../image/format.ts";
import { asInput, loadImage } from "../image/source/source.ts";
import type { ImageInput, LoadedImage } from "../image/source/source.ts";
import type { Tensor } from "../image/tensor.ts";
import { type Checks, FLAG, FUNCTION, TEXT, check } from "../base/options/check.ts";
import { readLabels } from "../classification/labels/labels.ts";
import {
  checkDrain,
  checkTopK,
  resolveClassifierOptions,
  resolveClassifyOptions,
} from "../classification/resolved.ts";
import type {
  ClassifierOptions,
  ClassifyOptions,
  ResolvedClassifierOptions,
  ResolvedClassifyOptions,
  TransformsName,
} from "../classification/options.ts";
import { Stopwatch } from "../base/time/stopwatch.ts";
import type { Health, Phase } from "../backend.ts";
import type { WorkerInfo } from "../classification/info.ts";
import { classesIn, embeddingIn, entriesOf, readCassette, replay } from "./cassette.ts";
import type { Cassette } from "./cassette.ts";
import { fakeInfo } from "./info.ts";
import { PictureByPicture } from "../classification/lists.ts";

/** One class of a made-up answer; what is left out is filled in. */
export interface FakeClass {
  readonly index: number;
  /** 0 to 1. */
  readonly score: number;
  /** @default the label that belongs to `index`, or `class INDEX` */
  readonly label?: string;
  /** @default `score` times 100 in float32 */
  readonly percent?: number;
}

/** What a function of answers may give: classes in any order, or a whole result. */
export type FakeAnswer =
  | readonly FakeClass[]
  | (Omit<DetailedResult, "top"> & { readonly top: readonly FakeClass[] });

export interface FakeOptions {
  /** Milliseconds that each answer takes. @default 0 */
  readonly latencyMs?: number;
  /** The error that a call ends with, or undefined for an answer. */
  readonly failWith?: (image: ImageInput, options: ClassifyOptions) => IsotorchError | undefined;
  /**
   * The labels by index, a list or a text file, in place of those of the answers; the network has as many classes.
   * @default those of the answers; of a cassette as many classes as were recorded, else 1,000
   */
  readonly labels?: string | readonly string[];
  /**
   * One of torchvision's classifiers, which it stands for: `info()` says it, and the pictures get its preprocessing.
   * @default none; the preprocessing of resnet101
   */
  readonly model?: string;
  /**
   * Read each picture and look at its header, so that a missing file or a text file fails as it would with a real
   * classifier. Always so with a cassette.
   * @default false
   */
  readonly readImages?: boolean;
}

type Answer = (image: ImageInput, options: ClassifyOptions) => FakeAnswer | Promise<FakeAnswer>;

/**
 * A classifier for the tests of an application: no Python, no GPU, no checkpoint. It checks its calls, keeps its
 * deadlines and closes as the real one, and says in `info()` that it is a fake.
 *
 * @param answers what it answers: a function, or a cassette that `recordCassette` wrote, or the cassette's path.
 * @throws IsotorchError `INVALID_OPTION`; `INPUT_NOT_FOUND` for a cassette that is not there; `BAD_LABELS`.
 * @example
 * const classifier = await createFakeClassifier(() => [{ index: 207, label: "golden retriever", score: 0.96 }]);
 */
export async function createFakeClassifier(
  answers: Answer | Cassette | string | URL,
  options: FakeOptions = {},
): Promise<Classifier> {
  check(options, CHECKS);
  if (options.model !== undefined) knownModel(options.model);
  const labels = await readLabels(options.labels);
  if (typeof answers === "function") {
    return new FakeClassifier({ ...options, labels, answer: answers, source: "a function" });
  }
  const isFile = typeof answers === "string" || answers instanceof URL;
  const entries = isFile ? await readCassette(answers) : entriesOf(answers, "The first argument");
  const source = isFile ? `the cassette ${String(answers)}` : "a cassette";
  return new FakeClassifier({ ...options, labels, answer: undefined, entries, source });
}

interface Setup extends Omit<FakeOptions, "labels"> {
  readonly labels: readonly string[] | undefined;
  readonly answer: Answer | undefined;
  readonly entries?: ReturnType<typeof entriesOf>;
  readonly source: string;
}

class FakeClassifier extends PictureByPicture implements Classifier {
  readonly #setup: Setup;
  readonly #listeners = new Set<(phase: Phase) => void>();
  /** As they were given: the defaults of a worker of this machine would refuse `remote`. */
  #options: ClassifierOptions = {};
  #settings: ResolvedClassifierOptions;
  #labels: readonly string[] | undefined;
  #phase: Phase = "ready";
  readonly #times = new StageTimes();
  #answering = 0;
  #counts = { submitted: 0, succeeded: 0, failed: 0, starts: 1, redelivered: 0, dropped: 0, batches: 0 };

  constructor(setup: Setup) {
    super();
    this.#setup = setup;
    this.#settings = resolveClassifierOptions(optionsOf(setup.model));
    this.#labels = setup.labels;
  }

  protected override async answer(image: ImageInput, options: ClassifyOptions = {}): Promise<DetailedResult> {
    const call = resolveClassifyOptions(options, this.info().timeoutMs);
    checkTopK(options.topK, this.info().classes);
    const { abandoned } = this.calls;
    const work = withinDeadline({ ...call, abandoned }, (signal) =>
      this.#answer(image, options, call, signal),
    );
    return this.#counted(work);
  }

  override async preprocess(image: ImageInput, options?: ClassifyOptions): Promise<Tensor> {
    const call = resolveClassifyOptions(options, this.info().timeoutMs);
    return withinDeadline(call, async (signal) => {
      const { preprocessed } = await import("./pixels.ts");
      return preprocessed(image, call, this.info().spec, signal);
    });
  }

  models(): Promise<string[]> {
    return Promise.resolve([this.#settings.model ?? DEFAULT_MODEL]);
  }

  info(): WorkerInfo {
    const { model: named, source, entries } = this.#setup;
    const { weights, transforms: given } = this.#settings;
    // A reload may say another one.
    const model = this.#options.model ?? named;
    const transforms = typeof given === "object" ? null : (given ?? this.#transforms(model));
    return fakeInfo({
      weights,
      transforms,
      spec: typeof given === "object" ? given : specOf(transforms ?? "", model),
      source,
      model,
      classes: this.#labels?.length ?? classesIn(entries) ?? 1_000,
      embedding: embeddingIn(entries),
    });
  }

  health(): Health {
    const health = {
      phase: this.#phase,
      ready: this.#phase === "ready" || this.#phase === "busy",
      starts: this.#counts.starts,
      recentExits: 0,
      silentMs: 0,
      pid: undefined,
      waiting: 0,
      inFlight: this.#answering,
      lastFailure: undefined,
    };
    return { ...health, workers: [health] };
  }

  stats(): Stats {
    return { ...this.#counts, stages: this.#times.snapshot(), preprocessed: { node: 0, worker: 0 } };
  }

  on(_event: "state", listener: (phase: Phase) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Checks the options and shows them in `info()`; the answers stay the same. */
  async reload(options: ClassifierOptions): Promise<void> {
    if (this.calls.closed) throw closedError();
    const given = { ...this.#options, ...options };
    const settings = resolveClassifierOptions({
      ...(given.remote === undefined && optionsOf(given.model ?? this.#setup.model)),
      ...given,
    });
    if (options.labels !== undefined) this.#labels = await readLabels(options.labels);
    this.#options = given;
    this.#settings = settings;
    this.#counts.starts += 1;
  }

  async close({ drainMs = DRAIN_MS }: { readonly drainMs?: number } = {}): Promise<void> {
    checkDrain(drainMs);
    if (!this.calls.closed) this.#enter("draining");
    await this.calls.drain(drainMs);
    this.#enter("stopped");
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #answer(
    image: ImageInput,
    options: ClassifyOptions,
    call: ResolvedClassifyOptions,
    signal: AbortSignal,
  ): Promise<DetailedResult> {
    const { answer, entries, readImages = false, latencyMs = 0, failWith } = this.#setup;
    const wanted = call.include.tensor === true || call.include.pixels === true;
    const loaded =
      readImages || entries !== undefined || wanted ? await loadImage(image, { signal }) : undefined;
    if (loaded?.kind === "encoded") readHeader(loaded.bytes);
    // A stream has been read by now: the functions get its bytes.
    const shown = image instanceof ReadableStream && loaded?.kind === "encoded" ? loaded.bytes : image;
    await pause(latencyMs, signal);
    const failure = failWith?.(shown, options);
    if (failure !== undefined) throw failure;
    const given =
      entries === undefined || loaded === undefined
        ? await answered(answer, shown, options)
        : replay(entries, loaded, call, this.info().classes);
    const result = this.#shaped(given, call);
    return wanted && loaded !== undefined ? this.#withPixels(result, loaded, call, signal) : result;
  }

  /** A given answer as the real classifier would give it: best first, cut to `topK`, with what was asked for. */
  #shaped(given: FakeAnswer, call: ResolvedClassifyOptions): DetailedResult {
    const detailed: Exclude<FakeAnswer, readonly FakeClass[]> = isClasses(given) ? { top: given } : given;
    const top = detailed.top
      .map((entry) => classOf(entry, this.#labels))
      .toSorted((a, b) => b.score - a.score);
    const { logits, probabilities, embedding, timings } = call.include;
    for (const name of ["logits", "probabilities", "embedding"] as const) {
      if (call.include[name] === true && detailed[name] === undefined) {
        throw badAnswer(`it has no ${name}, which the call includes`);
      }
    }
    const best = call.topK === 0 ? top : top.slice(0, call.topK);
    return {
      top: best.filter(({ score }) => score >= call.threshold),
      ...(logits === true && detailed.logits !== undefined && { logits: detailed.logits }),
      ...(probabilities === true &&
        detailed.probabilities !== undefined && { probabilities: detailed.probabilities }),
      ...(embedding === true && detailed.embedding !== undefined && { embedding: detailed.embedding }),
      ...(timings === true && { timings: detailed.timings ?? { worker: this.#setup.latencyMs ?? 0 } }),
    };
  }

  async #withPixels(
    result: DetailedResult,
    loaded: LoadedImage,
    call: ResolvedClassifyOptions,
    signal: AbortSignal,
  ): Promise<DetailedResult> {
    const { included } = await import("./pixels.ts");
    const { tensor, pixels } = await included(asInput(loaded), call, this.info().spec, signal);
    return {
      ...result,
      ...(call.include.tensor === true && tensor !== undefined && { tensor }),
      ...(call.include.pixels === true && pixels !== undefined && { pixels }),
    };
  }

  async #counted<T>(work: Promise<T>): Promise<T> {
    this.#counts.submitted += 1;
    const clock = new Stopwatch();
    this.#answering += 1;
    if (this.#answering === 1) this.#enter("busy");
    try {
      const result = await work;
      this.#counts.succeeded += 1;
      clock.lap("total");
      this.#times.record(clock.laps);
      return result;
    } catch (error) {
      this.#counts.failed += 1;
      throw error;
    } finally {
      this.#answering -= 1;
      if (this.#answering === 0) this.#enter("ready");
    }
  }

  /** Those of the weights, where they are known by name. */
  #transforms(model: string = DEFAULT_MODEL): TransformsName {
    const { weights } = this.#settings;
    return isWeightsName(weights) && isWeightsOf(model, weights) ? weights : defaultTransforms(model);
  }

  #enter(phase: Phase): void {
    // A closing classifier is never ready again.
    const isLate = this.calls.closed && (phase === "ready" || phase === "busy");
    if (phase === this.#phase || isLate) return;
    this.#phase = phase;
    for (const listener of this.#listeners)
      guardedCall('A listener of "state"', undefined, () => listener(phase));
  }
}

/** Two networks have no weights that a classifier takes by itself; a fake one has none anyway. */
function optionsOf(model: string | undefined): ClassifierOptions {
  return model === undefined ? {} : { model, weights: defaultTransforms(model) };
}

async function answered(answer: Answer | undefined, image: ImageInput, options: ClassifyOptions) {
  let given: FakeAnswer | undefined;
  try {
    given = await answer?.(image, options);
  } catch (cause) {
    if (cause instanceof IsotorchError) throw cause;
    throw new IsotorchError("WORKER_ERROR", `The fake's function threw: ${messageOf(cause)}.`, {
      hint: "Throw an IsotorchError to choose the code.",
      cause,
    });
  }
  if (given === undefined || !Array.isArray(isClasses(given) ? given : given.top)) {
    throw badAnswer("it is neither a list of classes nor a result with `top`");
  }
  return given;
}

function isClasses(answer: FakeAnswer): answer is readonly FakeClass[] {
  return Array.isArray(answer);
}

function classOf(given: FakeClass, labels: readonly string[] | undefined): Classification {
  const { index, score } = given;
  if (!Number.isSafeInteger(index) || index < 0) throw badAnswer(`a class has the index ${String(index)}`);
  if (!(score >= 0 && score <= 1)) throw badAnswer(`a class has the score ${String(score)}, expected 0 to 1`);
  const label = labels?.[index] ?? given.label ?? `class ${index}`;
  return { label, index, score, percent: given.percent ?? Math.fround(Math.fround(score) * 100) };
}

function badAnswer(why: string): IsotorchError {
  return new IsotorchError("INVALID_OPTION", `The fake's answer cannot be used: ${why}.`, {
    hint: "Answer `[{ index, score }]`, or `{ top: [{ index, score }] }` with what the call includes.",
  });
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (ms === 0) return Promise.resolve();
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => clearTimeout(timer), { once: true });
  });
}

const CHECKS: Checks<FakeOptions> = {
  latencyMs: ["a number from 0", (value) => typeof value === "number" && value >= 0 && value < 2 ** 31],
  failWith: FUNCTION,
  labels: ["a path or a list of strings", (value) => typeof value === "string" || Array.isArray(value)],
  model: TEXT,
  readImages: FLAG,
};
