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
    const running: Promise<PromiseSettledResult<DetailedResult>>[] = [];
    for await (const image of images) {
      running.push(settled(this.classifyDetailed(image, options)));
      if (running.length < this.ahead) continue;
      const oldest = running.shift();
      if (oldest !== undefined) yield await oldest;
    }
    for (const rest of running) yield await rest;
  }
}

function isList(image: ImageInput | readonly ImageInput[]): image is readonly ImageInput[] {
  return Array.isArray(image);
}

async function settled<T>(promise: Promise<T>): Promise<PromiseSettledResult<T>> {
  const [result] = await Promise.allSettled([promise]);
  return result;
}
