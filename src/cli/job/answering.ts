/** Pictures to answers, in the order of the pictures. */
import type { Classifier } from "../../classification/classifier.ts";
import { IsotorchError } from "../../base/errors.ts";
import type { ImageInput } from "../../image/source/source.ts";
import type { ClassifyOptions } from "../../classification/options.ts";
import type { Answer } from "./answers.ts";
import type { Named } from "../lists/inputs.ts";

/** Shows each answer in its turn; only the pictures that are in work are in memory. */
export async function answerAll(
  classifier: Classifier,
  options: ClassifyOptions,
  pictures: AsyncIterable<Named> | Iterable<Named>,
  show: (answer: Answer) => Promise<void>,
): Promise<void> {
  const waiting: Named[] = [];
  const showFailed = async (): Promise<void> => {
    for (let first = waiting[0]; first !== undefined && "error" in first; first = waiting[0]) {
      waiting.shift();
      await show(first);
    }
  };
  const images = (async function* (): AsyncGenerator<ImageInput, void, undefined> {
    for await (const picture of pictures) {
      waiting.push(picture);
      if ("image" in picture) yield picture.image;
      else if (waiting.length === 1) await showFailed();
    }
  })();
  for await (const result of classifier.classifyStream(images, options)) {
    await showFailed();
    const name = waiting.shift()?.name ?? "";
    await show(
      result.status === "fulfilled"
        ? { name, result: result.value }
        : { name, error: asError(result.reason) },
    );
  }
  await showFailed();
}

function asError(reason: unknown): IsotorchError {
  if (reason instanceof IsotorchError) return reason;
  throw reason;
}
