/** Accuracy over a tree of pictures, with the same figures as a plain torchvision loop. */
import { shown } from "../../base/text/shown.ts";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { createClassifier } from "../../classification/classifier.ts";
import type { Classifier } from "../../classification/classifier.ts";
import { IsotorchError } from "../../base/errors.ts";
import type { IsotorchErrorCode } from "../../base/errors.ts";
import type { ClassifierInfo } from "../../classification/info.ts";
import { chooseLabels, readLabels } from "../../classification/labels/labels.ts";
import type { ClassifierOptions, ClassifyOptions } from "../../classification/options.ts";
import { EvalLog } from "./log.ts";
import type { EvalAnswer, EvalConditions, EvalFailure, EvalRecord } from "./log.ts";
import { classTree, readImageFolder } from "./imagefolder.ts";
import type { PassedOver } from "./walk.ts";
import type { ClassTree, FolderNaming, ImageFolder, Sample } from "./imagefolder.ts";

export interface EvalOptions {
  /** Counts what the search for pictures passes over. */
  readonly passed?: PassedOver;
  readonly classifier?: ClassifierOptions;
  /** How pictures are read. */
  readonly image?: Pick<ClassifyOptions, "exif" | "icc" | "mode" | "timeoutMs">;
  /**
   * A file of JSON lines: what it holds is not computed again, what is computed is added.
   * @default none: nothing is kept
   */
  readonly resume?: string;
  /** Hears of the figures so far, after each picture. */
  readonly onProgress?: (figures: EvalFigures, total: number) => void;
  readonly signal?: AbortSignal;
}

/** Accuracy counts the pictures that could be read; the others are told beside it. */
export interface EvalFigures {
  readonly evaluated: number;
  readonly failed: number;
  /** Pictures whose class was the best, and among the five best. */
  readonly correct1: number;
  readonly correct5: number;
  /** 0 to 1; null where no picture was evaluated. */
  readonly top1: number | null;
  readonly top5: number | null;
}

export interface EvalResult extends EvalFigures {
  readonly pictures: number;
  /** How many of them came from the file to resume. */
  readonly resumed: number;
  readonly folders: number;
  readonly naming: FolderNaming;
  readonly failures: readonly EvalFailure[];
  readonly samples: readonly Sample[];
  readonly info: ClassifierInfo;
}

const TOP = 5;
const IMAGENET = 1000;
const [LABELS, SYNSETS] = ["imagenet_classes", "imagenet_synsets"].map((name) =>
  fileURLToPath(new URL(`../../../models/${name}.txt`, import.meta.url)),
) as [string, string];

/** Failures that are the picture's own: they would come again, so that a resumed run keeps them. */
export const OF_THE_PICTURE: readonly IsotorchErrorCode[] = [
  "INPUT_NOT_FOUND",
  "INPUT_UNREADABLE",
  "INPUT_TOO_LARGE",
  "UNSUPPORTED_FORMAT",
  "UNSUPPORTED_MODE",
  "DECODE_FAILED",
  "BAD_TENSOR",
  "POISON_INPUT",
  "NON_FINITE_OUTPUT",
];

/** Failures after which no picture can succeed. */
const OF_THE_RUN: readonly IsotorchErrorCode[] = [
  "ABORTED",
  "CLOSED",
  "INVALID_OPTION",
  "WORKER_START_FAILED",
  "WORKER_DIED",
  "CIRCUIT_OPEN",
  "REMOTE_UNREACHABLE",
  "REMOTE_REFUSED",
  "REMOTE_MISMATCH",
  "PROTOCOL_ERROR",
  "OUTPUT_FAILED",
];

/**
 * Classifies every picture of an ImageFolder tree.
 *
 * @throws IsotorchError what `readImageFolder`, `EvalLog.open` and `createClassifier` throw, and the failure that ended the
 * run. A picture that fails by itself is counted, not thrown.
 */
export async function evaluate(directory: string, options: EvalOptions = {}): Promise<EvalResult> {
  const { image = {}, resume, signal, onProgress } = options;
  const labels = await readLabels(options.classifier?.labels);
  const tree = await readImageFolder(directory, options.passed);
  await using classifier = await createClassifier({ ...options.classifier, ...(signal && { signal }) });
  const info = classifier.info();
  const { samples, folders, naming } = await classesOf(tree, info.classes, labels);
  const log = resume === undefined ? undefined : await EvalLog.open(resume, conditionsOf(info, image));
  let unclosed: unknown;
  let result: EvalResult;
  try {
    const tally = new Tally(samples, log?.records ?? []);
    const rest = samples.filter(({ name }) => !tally.has(name));
    const resumed = samples.length - rest.length;
    for await (const record of answers(classifier, rest, {
      ...image,
      topK: TOP,
      ...(signal && { signal }),
    })) {
      tally.add(record);
      if (!("error" in record) || OF_THE_PICTURE.includes(record.error.code)) log?.append(record);
      onProgress?.(tally.figures(), samples.length);
    }
    const { failures } = tally;
    result = {
      ...tally.figures(),
      pictures: samples.length,
      resumed,
      folders,
      naming,
      failures,
      samples,
      info,
    };
  } finally {
    // What ended the run is told, and not what closing the file says of it.
    await log?.close().catch((error: unknown) => (unclosed = error));
  }
  if (unclosed !== undefined) throw unclosed;
  return result;
}

/** With the labels that were given; else ImageNet's for 1,000 classes, and numbers for others. */
async function classesOf(
  tree: ImageFolder,
  classes: number,
  given: readonly string[] | undefined,
): Promise<ClassTree> {
  const isImageNet = classes === IMAGENET;
  const own = isImageNet
    ? ((await readLabels(LABELS)) ?? [])
    : Array.from({ length: classes }, (_, index) => `class ${index}`);
  const synsets = isImageNet ? (await readFile(SYNSETS, "utf8")).trim().split("\n") : [];
  return classTree(tree, chooseLabels(given, own), synsets);
}

/** One record per sample, in their order. @throws IsotorchError the failure after which none can succeed. */
async function* answers(
  classifier: Pick<Classifier, "classifyStream">,
  samples: readonly Sample[],
  call: ClassifyOptions,
): AsyncGenerator<EvalRecord, void, undefined> {
  let at = 0;
  const paths = samples.map(({ path }) => path);
  for await (const result of classifier.classifyStream(paths, call)) {
    const { name = "", classIndex = -1 } = samples[at++] ?? {};
    if (result.status === "fulfilled") {
      yield { name, class: classIndex, top: result.value.top.map(({ index }) => index) };
      continue;
    }
    const error: unknown = result.reason;
    if (!(error instanceof IsotorchError) || OF_THE_RUN.includes(error.code)) throw error;
    yield { name, class: classIndex, error: { code: error.code, message: error.message } };
  }
}

/** Counts as the records come; a picture counts once. */
class Tally {
  readonly failures: EvalFailure[] = [];
  readonly #seen = new Set<string>();
  #evaluated = 0;
  #correct1 = 0;
  #correct5 = 0;

  /** @throws IsotorchError `INVALID_OPTION` when a picture has another class now than when it was recorded. */
  constructor(samples: readonly Sample[], records: readonly EvalRecord[]) {
    const classes = new Map(samples.map(({ name, classIndex }) => [name, classIndex]));
    for (const record of records) {
      const now = classes.get(record.name);
      if (now === undefined) continue;
      if (now !== record.class) {
        throw new IsotorchError(
          "INVALID_OPTION",
          `${shown(record.name)} was class ${record.class} in the file to resume, and is ${now} now.`,
          { hint: "The tree has changed since. Name another file." },
        );
      }
      this.add(record);
    }
  }

  has(name: string): boolean {
    return this.#seen.has(name);
  }

  add(record: EvalAnswer | EvalFailure): void {
    this.#seen.add(record.name);
    if ("error" in record) {
      this.failures.push(record);
      return;
    }
    this.#evaluated++;
    if (record.top[0] === record.class) this.#correct1++;
    if (record.top.slice(0, TOP).includes(record.class)) this.#correct5++;
  }

  figures(): EvalFigures {
    const of = (correct: number): number | null => (this.#evaluated === 0 ? null : correct / this.#evaluated);
    return {
      evaluated: this.#evaluated,
      failed: this.failures.length,
      correct1: this.#correct1,
      correct5: this.#correct5,
      top1: of(this.#correct1),
      top5: of(this.#correct5),
    };
  }
}

/** A condition that a server does not say. */
const UNSAID = "unknown";
/** Preprocessing that no weights have. */
const OWN = "own";

function conditionsOf(info: ClassifierInfo, image: NonNullable<EvalOptions["image"]>): EvalConditions {
  // A server elsewhere says neither.
  const { checkpointKey = "", prefix = "" } = info.environment === "remote" ? {} : info.weights;
  return {
    model: info.model ?? UNSAID,
    classes: String(info.classes),
    weights: info.weights.sha256 ?? UNSAID,
    checkpointKey,
    prefix,
    transforms: info.weights.transforms ?? OWN,
    spec: JSON.stringify(info.spec),
    torch: info.versions["torch"] ?? UNSAID,
    device: info.device ?? UNSAID,
    threads: String(info.threads ?? UNSAID),
    precision: info.precision ?? UNSAID,
    exif: image.exif ?? "ignore",
    icc: image.icc ?? "ignore",
    mode: image.mode ?? "convert-rgb",
  };
}
