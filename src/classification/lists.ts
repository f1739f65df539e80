/** What follows from the answer of one picture: lists, settled lists and streams, each call counted. */
import { onAborted } from "../base/async/aborts.ts";
import { AcceptedCalls } from "../base/async/accepted.ts";
import { shown } from "../base/text/shown.ts";
import { abortError, IsotorchError } from "../base/errors.ts";
import { looksLikeBase64 } from "../image/source/data-url.ts";
import { keepFailure } from "../image/source/streams.ts";
import type { ImageInput } from "../image/source/source.ts";
import type { Tensor } from "../image/tensor.ts";
import { checkEmbedOptions, resolveClassifyOptions } from "./resolved.ts";
import type { ClassifyOptions, EmbedOptions } from "./options.ts";
import type { Classification, DetailedResult, Embedding } from "./result.ts";

/** Characters of a picture's name in the error of a list: the picture's own error has it too. */
const MOST_OF_NAME = 80;

/** The part of a classifier that is the same whoever answers. */
export abstract class PictureByPicture {
  protected readonly calls: AcceptedCalls = new AcceptedCalls();

  constructor() {
    // Handed on by themselves, as to a router or to `map`, they know where they belong.
    this.classify = this.classify.bind(this);
    this.classifyDetailed = this.classifyDetailed.bind(this);
    this.classifySettled = this.classifySettled.bind(this);
    this.classifyStream = this.classifyStream.bind(this);
    this.embed = this.embed.bind(this);
    this.preprocess = this.preprocess.bind(this);
  }

  /** Pictures of a list that are open at a time: enough to keep the decoders and the network busy. */
  protected get prefetch(): number {
    return 4;
  }

  /** One picture of a call that was accepted. */
  protected abstract answer(image: ImageInput, options?: ClassifyOptions): Promise<DetailedResult>;

  abstract preprocess(image: ImageInput, options?: ClassifyOptions): Promise<Tensor>;

  classifyDetailed(image: ImageInput, options?: ClassifyOptions): Promise<DetailedResult> {
    keepFailure(image);
    return this.calls.accept(() => this.answer(image, options));
  }

  classify(image: ImageInput, options?: ClassifyOptions): Promise<Classification[]>;
  classify(images: readonly ImageInput[], options?: ClassifyOptions): Promise<Classification[][]>;
  async classify(
    image: ImageInput | readonly ImageInput[],
    options?: ClassifyOptions,
  ): Promise<Classification[] | Classification[][]> {
    if (!isList(image)) return [...(await this.classifyDetailed(image, options)).top];
    return allOf(await this.classifySettled(image, options), image);
  }

  embed(image: ImageInput, options?: EmbedOptions): Promise<Embedding>;
  embed(images: readonly ImageInput[], options?: EmbedOptions): Promise<Embedding[]>;
  async embed(
    image: ImageInput | readonly ImageInput[],
    options?: EmbedOptions,
  ): Promise<Embedding | Embedding[]> {
    checkEmbedOptions(options);
    const call = { ...options, topK: 1, include: { embedding: true } };
    if (!isList(image)) return embeddingOf(await this.classifyDetailed(image, call));
    return allOf(await this.#settled(image, call, embeddingOf), image);
  }

  async classifySettled(
    images: readonly ImageInput[],
    options?: ClassifyOptions,
  ): Promise<PromiseSettledResult<Classification[]>[]> {
    resolveClassifyOptions(options);
    if (!isList(images)) {
      throw new IsotorchError("INVALID_INPUT", "`classifySettled` takes a list of pictures.", {
        hint: "Give [picture], or call `classify(picture)`.",
      });
    }
    return this.#settled(images, options, ({ top }) => [...top]);
  }

  async *classifyStream(
    images: Iterable<ImageInput> | AsyncIterable<ImageInput>,
    options?: ClassifyOptions,
  ): AsyncGenerator<PromiseSettledResult<DetailedResult>, void, undefined> {
    const { signal } = resolveClassifyOptions(options);
    yield* this.#stream(images, (image) => this.classifyDetailed(image, options), signal);
  }

  /** What `pick` takes of each picture's answer. */
  async #settled<T>(
    images: readonly ImageInput[],
    options: ClassifyOptions | undefined,
    pick: (result: DetailedResult) => T,
  ): Promise<PromiseSettledResult<T>[]> {
    images.forEach(keepFailure);
    // The list is one call: a close meanwhile waits for all of it.
    return this.calls.accept(async () => {
      const results: PromiseSettledResult<T>[] = [];
      for await (const result of this.#stream(images, (image) => this.answer(image, options))) {
        results.push(
          result.status === "fulfilled" ? { status: "fulfilled", value: pick(result.value) } : result,
        );
      }
      return results;
    });
  }

  /** @param signal ends the waiting for a source that gives nothing more. */
  async *#stream(
    images: Iterable<ImageInput> | AsyncIterable<ImageInput>,
    answer: (image: ImageInput) => Promise<DetailedResult>,
    signal?: AbortSignal,
  ): AsyncGenerator<PromiseSettledResult<DetailedResult>, void, undefined> {
    const [aborted, forget] = abortOf(signal);
    const source = iteratorOf(images);
    const running: Promise<PromiseSettledResult<DetailedResult>>[] = [];
    let failure: { readonly reason: unknown } | undefined;
    let isEnded = false;
    let taking: Promise<"taken"> | undefined;
    const take = async (): Promise<"taken"> => {
      try {
        const next = await source.next();
        if (next.done === true) isEnded = true;
        else running.push(settled(answer(next.value)));
      } catch (reason) {
        [isEnded, failure] = [true, { reason }];
      }
      return "taken";
    };
    try {
      for (;;) {
        const isAborted = signal?.aborted === true;
        if (!isEnded && !isAborted && running.length < this.prefetch) taking ??= take();
        const [oldest] = running;
        const next = isAborted ? [oldest] : [taking, oldest, aborted];
        if (oldest === undefined && (isAborted || taking === undefined)) break;
        // Whichever comes first: a source that pauses holds no answer back.
        const first = await Promise.race(next.filter((promise) => promise !== undefined));
        if (first === "aborted") continue;
        if (first === "taken") {
          taking = undefined;
          continue;
        }
        void running.shift();
        yield first;
      }
      if (failure !== undefined) throw failure.reason;
      if (!isEnded && signal !== undefined) throw abortError(signal);
    } finally {
      forget();
      const returned = isEnded ? undefined : Promise.resolve(source.return?.());
      // A source that is being waited for cannot be ended; it is let go.
      if (taking === undefined) await returned;
      else void returned?.catch(() => undefined);
    }
  }
}

/** A promise that settles when the signal fires, and what takes its listener away. */
function abortOf(
  signal: AbortSignal | undefined,
): [aborted: Promise<"aborted"> | undefined, forget: () => void] {
  if (signal === undefined) return [undefined, () => undefined];
  let forget = (): void => undefined;
  const aborted = new Promise<"aborted">((resolve) => {
    forget = onAborted(signal, () => resolve("aborted"));
  });
  return [aborted, forget];
}

/** The values of a list, or the error of the first that failed. */
function allOf<T>(results: readonly PromiseSettledResult<T>[], images: readonly ImageInput[]): T[] {
  return results.map((result, index) => {
    if (result.status === "rejected") throw ofElement(result.reason, images, index);
    return result.value;
  });
}

/** @throws IsotorchError `INVALID_OPTION` where whoever answers has none. */
function embeddingOf({ embedding }: DetailedResult): Embedding {
  if (embedding !== undefined) return embedding;
  throw new IsotorchError("INVALID_OPTION", "Whoever answers here gives no embeddings.", {
    hint: "Use a worker of this machine, or a server of isotorch's.",
  });
}

/** The error of a list, which says whose it is; its code and all else are those of the picture's own. */
function ofElement(reason: unknown, images: readonly ImageInput[], index: number): unknown {
  if (!(reason instanceof IsotorchError)) return reason;
  const name = nameOf(images[index]);
  const which = `Picture ${index + 1} of ${images.length}${name === undefined ? "" : `, ${name}`}`;
  const { code, message, hint, traceback, stderr, retryAfterMs, requestId } = reason;
  return new IsotorchError(code, `${which}: ${message}`, {
    hint,
    index,
    cause: reason,
    ...(traceback !== undefined && { traceback }),
    ...(stderr !== undefined && { stderr }),
    ...(retryAfterMs !== undefined && { retryAfterMs }),
    ...(requestId !== undefined && { requestId }),
  });
}

/** What a picture is called, where it is called something. What may be secret or endless in an address is left out. */
function nameOf(image: ImageInput | undefined): string | undefined {
  if (typeof image !== "string" && !(image instanceof URL)) return undefined;
  const text = String(image);
  if (/^data:/i.test(text) || looksLikeBase64(text)) return undefined;
  if (!/^https?:/i.test(text) || !URL.canParse(text)) return shown(text, MOST_OF_NAME);
  const { origin, pathname } = new URL(text);
  return shown(`${origin}${pathname}`, MOST_OF_NAME);
}

function iteratorOf<T>(items: Iterable<T> | AsyncIterable<T>): Iterator<T> | AsyncIterator<T> {
  return Symbol.asyncIterator in items ? items[Symbol.asyncIterator]() : items[Symbol.iterator]();
}

function isList(image: ImageInput | readonly ImageInput[]): image is readonly ImageInput[] {
  return Array.isArray(image);
}

async function settled<T>(promise: Promise<T>): Promise<PromiseSettledResult<T>> {
  const [result] = await Promise.allSettled([promise]);
  return result;
}
