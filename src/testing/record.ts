import { DRAIN_MS } from "../base/async/accepted.ts";
import type { Classifier, DetailedResult, Stats } from "../classification/classifier.ts";
import { IsotorchError } from "../base/errors.ts";
import { withinDeadline } from "../base/time/deadline.ts";
import { asInput, loadImage } from "../image/source/source.ts";
import type { ImageInput, LoadedImage } from "../image/source/source.ts";
import type { Tensor } from "../image/tensor.ts";
import { checkDrain, resolveClassifyOptions } from "../classification/resolved.ts";
import type {
  ClassifierOptions,
  ClassifyOptions,
  ResolvedClassifyOptions,
} from "../classification/options.ts";
import type { ClassifierInfo } from "../classification/info.ts";
import type { Health, Phase } from "../backend.ts";
import { entryOf, keyOf, placeOf, readCassette, writeCassette } from "./cassette.ts";
import type { CassetteEntry } from "./cassette.ts";
import { PictureByPicture } from "../classification/lists.ts";

/**
 * A real classifier that also writes each of its answers into a cassette file, for `createFakeClassifier`. A file that
 * exists already is added to. An answer is in the file before its call resolves; failures are not recorded.
 *
 * @example
 * const classifier = recordCassette(await createClassifier(), "test/answers.json");
 */
export function recordCassette(classifier: Classifier, file: string | URL): Classifier {
  return new Recorder(classifier, file);
}

class Recorder extends PictureByPicture implements Classifier {
  readonly #inner: Classifier;
  readonly #file: string | URL;
  #entries: Promise<Map<string, CassetteEntry>> | undefined;
  #writing: Promise<void> | undefined;
  #next: Promise<void> | undefined;

  constructor(inner: Classifier, file: string | URL) {
    super();
    this.#inner = inner;
    this.#file = file;
  }

  protected override async answer(image: ImageInput, options: ClassifyOptions = {}): Promise<DetailedResult> {
    const { classes, timeoutMs: usual } = this.#inner.info();
    const call = resolveClassifyOptions(options, usual);
    const started = performance.now();
    // Read here once: a stream can be hashed or classified, not both.
    const loaded = await withinDeadline({ ...call, abandoned: this.calls.abandoned }, (signal) =>
      loadImage(image, { signal }),
    );
    const timeoutMs = call.timeoutMs && Math.max(1, Math.ceil(call.timeoutMs - performance.now() + started));
    const result = await this.#inner.classifyDetailed(asInput(loaded), {
      ...options,
      threshold: 0,
      timeoutMs,
    });
    await this.#record(loaded, call, result, classes);
    const { threshold } = call;
    return threshold === 0
      ? result
      : { ...result, top: result.top.filter(({ score }) => score >= threshold) };
  }

  override preprocess(image: ImageInput, options?: ClassifyOptions): Promise<Tensor> {
    return this.#inner.preprocess(image, options);
  }

  models(): Promise<string[]> {
    return this.#inner.models();
  }

  info(): ClassifierInfo {
    return this.#inner.info();
  }

  health(): Health {
    return this.#inner.health();
  }

  stats(): Stats {
    return this.#inner.stats();
  }

  on(event: "state", listener: (phase: Phase) => void): () => void {
    return this.#inner.on(event, listener);
  }

  reload(options: ClassifierOptions): Promise<void> {
    return this.#inner.reload(options);
  }

  async close(options?: { readonly drainMs?: number }): Promise<void> {
    checkDrain(options?.drainMs);
    await this.calls.drain(options?.drainMs ?? DRAIN_MS);
    await this.#inner.close(options);
    await (this.#next ?? this.#writing);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #record(
    image: LoadedImage,
    call: ResolvedClassifyOptions,
    result: DetailedResult,
    classes: number,
  ): Promise<void> {
    this.#entries ??= existing(this.#file);
    const entries = await this.#entries;
    const place = placeOf(image, call);
    const key = keyOf(place);
    entries.set(key, entryOf(place, result, entries.get(key), classes));
    await this.#written(entries);
  }

  /** The next write has this answer, and whatever comes until it begins: many answers share one. */
  #written(entries: ReadonlyMap<string, CassetteEntry>): Promise<void> {
    this.#next ??= (this.#writing ?? Promise.resolve())
      .catch(() => undefined)
      .then(() => {
        this.#writing = this.#next;
        this.#next = undefined;
        return writeCassette(this.#file, entries);
      });
    return this.#next;
  }
}

async function existing(file: string | URL): Promise<Map<string, CassetteEntry>> {
  try {
    return await readCassette(file);
  } catch (error) {
    if (error instanceof IsotorchError && error.code === "INPUT_NOT_FOUND") return new Map();
    throw error;
  }
}
