/** The calls that need no classifier of one's own: one picture, one answer. */
import { createClassifier } from "./classifier.ts";
import type { Classification, Classifier } from "./classifier.ts";
import { withinDeadline } from "../base/time/deadline.ts";
import { Decoder } from "./decoder.ts";
import type { DecoderOptions } from "./decoder.ts";
import { keepFailure } from "../image/source/streams.ts";
import type { ImageInput } from "../image/source/source.ts";
import type { Tensor } from "../image/tensor.ts";
import { resolveClassifierOptions, resolveClassifyOptions, splitOptions } from "./resolved.ts";
import type { ClassifierOptions, ClassifyOptions } from "./options.ts";
import { DEFAULT_MODEL, defaultTransforms, specOf } from "../checkpoints/table.ts";
import type { InputSpec } from "../image/resample/geometry.ts";

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
  keepFailure(image);
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
  closeAtExit();
  shared.set(key, started);
  started.catch(() => shared.delete(key));
  return started;
}

function closeAtExit(): void {
  if (!watching) process.on("beforeExit", closeShared);
  watching = true;
}

function closeShared(): void {
  for (const started of [...shared.values(), ...decoders.values()]) {
    void started.then(
      (ready: Pick<Classifier, "close">) => ready.close(),
      () => undefined,
    );
  }
  shared.clear();
  decoders.clear();
}

/**
 * What the network would see, without a network: no checkpoint is needed. The first call starts Python to compare what Node
 * does with its Pillow and torchvision; later calls share it. Where no Python is found at all, pictures are read and resized as
 * by Pillow 9 to 12 on libjpeg-turbo, which `logger` hears of.
 *
 * @returns float32 [1,3,height,width], the same bits as torchvision's transforms.
 */
export async function preprocess(
  image: ImageInput,
  options: ClassifyOptions & PreprocessOptions = {},
): Promise<Tensor> {
  const [ofClassifier, ofCall] = splitOptions(options);
  const { model = DEFAULT_MODEL, transforms, ...ofDecoder } = resolveClassifierOptions(ofClassifier);
  const spec =
    typeof transforms === "object" ? transforms : specOf(transforms ?? defaultTransforms(model), model);
  const call = resolveClassifyOptions(ofCall);
  keepFailure(image);
  return withinDeadline(call, async (signal) => {
    const decoder = await sharedDecoder(spec, ofDecoder);
    const { tensor } = await decoder.tensorOf(image, call, signal);
    return tensor;
  });
}

/** What a call without a network can be told of the preprocessing, and of its environment. */
export type PreprocessOptions = Pick<
  ClassifierOptions,
  "model" | "transforms" | "python" | "env" | "limits" | "logger"
>;

const decoders = new Map<string, Promise<Decoder>>();

async function sharedDecoder(spec: InputSpec, options: DecoderOptions): Promise<Decoder> {
  const { python, env, limits } = options;
  const key = JSON.stringify([spec, python, env, limits]);
  const known = await decoders.get(key);
  if (known !== undefined) return known;
  const started = decoders.get(key) ?? Decoder.start(spec, options);
  closeAtExit();
  decoders.set(key, started);
  started.catch(() => decoders.delete(key));
  return started;
}
