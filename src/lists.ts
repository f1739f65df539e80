/** What follows from `classifyDetailed` alone: one picture, lists, settled lists and streams. */
import type { ImageInput } from "./image/source.ts";
import { resolveClassifyOptions } from "./options.ts";
import type { ClassifyOptions } from "./options.ts";
import type { Classification, DetailedResult } from "./result.ts";

/** The part of a classifier that is the same whoever answers. */
export abstract class PictureByPicture {
  /** Pictures of a list that are open at a time: enough to keep decoder threads and the network busy. */
  protected get ahead(): number {
    return 4;
  }

  abstract classifyDetailed(image: ImageInput, options?: ClassifyOptions): Promise<DetailedResult>;

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
    const source = iteratorOf(images);
    const running: Promise<PromiseSettledResult<DetailedResult>>[] = [];
    let failure: { readonly reason: unknown } | undefined;
    let isEnded = false;
    let taking: Promise<"taken"> | undefined;
    const take = async (): Promise<"taken"> => {
      try {
        const next = await source.next();
        if (next.done === true) isEnded = true;
        else running.push(settled(this.classifyDetailed(next.value, options)));
      } catch (reason) {
        [isEnded, failure] = [true, { reason }];
      }
      return "taken";
    };
    try {
      for (;;) {
        if (!isEnded && running.length < this.ahead) taking ??= take();
        const [oldest] = running;
        if (taking === undefined && oldest === undefined) break;
        // Whichever comes first: a source that pauses holds no answer back.
        const first = await Promise.race([taking, oldest].filter((promise) => promise !== undefined));
        if (first === "taken") {
          taking = undefined;
          continue;
        }
        void running.shift();
        yield first;
      }
      if (failure !== undefined) throw failure.reason;
    } finally {
      const returned = isEnded ? undefined : Promise.resolve(source.return?.());
      // A source that is being waited for cannot be ended; it is let go.
      if (taking === undefined) await returned;
      else void returned?.catch(() => undefined);
    }
  }
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
