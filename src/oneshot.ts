/** The calls that need no classifier of one's own: one picture, one answer. */
import { createClassifier } from "./classifier.ts";
import type { Classification, Classifier } from "./classifier.ts";
import { withinDeadline } from "./deadline.ts";
import { decodeRequest, decodedPixels, tensorOf } from "./handoff.ts";
import { pictures } from "./image/pool.ts";
import type { ImageInput, Pixels } from "./image/source.ts";
import type { Tensor } from "./image/tensor.ts";
import { resolveClassifierOptions, resolveClassifyOptions, splitOptions } from "./options.ts";
import type { ClassifierOptions, ClassifyOptions } from "./options.ts";
import { specOf } from "./worker/known.ts";
import { startDecoder } from "./worker/start.ts";

const shared = new Map<string, Promise<Classifier>>();
let watching = false;

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
  const key = JSON.stringify(Object.entries(ofClassifier).toSorted(([a], [b]) => (a < b ? -1 : 1)));
  return (await sharedClassifier(key, ofClassifier)).classify(image, ofCall);
}

/** The classifier of these options; another one where the worker has failed for good. */
async function sharedClassifier(key: string, options: ClassifierOptions): Promise<Classifier> {
  const known = await shared.get(key);
  if (known !== undefined && known.health().phase !== "failed") return known;
  if (known !== undefined) {
    shared.delete(key);
    await known.close();
  }
  const started = shared.get(key) ?? createClassifier(options);
  if (!watching) process.on("beforeExit", closeShared);
  watching = true;
  shared.set(key, started);
  started.catch(() => shared.delete(key));
  return started;
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
  return withinDeadline(call, (signal) => {
    const pillow = async (bytes: Uint8Array): Promise<Pixels> => {
      const session = await startDecoder({ ...ofClassifier, signal });
      try {
        return decodedPixels(await session.request(...decodeRequest(bytes, call), 1));
      } finally {
        await session.close();
      }
    };
    const prepare = pictures.run.bind(pictures);
    return tensorOf(image, call, { spec: specOf(transforms), signal, prepare, pillow });
  });
}
