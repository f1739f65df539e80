/** The tutorial, replayed: its statements with their outputs, computed here. */
import { excerpt, shown } from "../../base/text/shown.ts";
import { fileURLToPath } from "node:url";
import { createClassifier } from "../../classification/classifier.ts";
import type { Classification } from "../../classification/classifier.ts";
import { IsotorchError } from "../../base/errors.ts";
import { ofWorker } from "../../classification/info.ts";
import { chooseLabels, readLabelFile } from "../../classification/labels/labels.ts";
import type { LabelFile } from "../../classification/labels/labels.ts";
import type { ClassifierOptions } from "../../classification/options.ts";
import { knownModel } from "../../checkpoints/table.ts";
import type { Tensor } from "../../image/tensor.ts";
import type { WorkerInfo } from "../../classification/info.ts";
import { floatsFrom, runScript } from "./process.ts";
import { tutorialSteps } from "./steps.ts";
import type { TutorialFacts } from "./steps.ts";
import type { TutorialStep } from "./step.ts";

const IMAGENET = 1000;
const LABELS = fileURLToPath(new URL("../../../models/imagenet_classes.txt", import.meta.url));

export interface TutorialOptions extends ClassifierOptions {
  /**
   * The label file.
   * @default the one of this package, which the tutorial reads; none where there are other classes than ImageNet's
   */
  readonly labels?: string;
  /**
   * Leaves `eval()` out, as the text does.
   * @default false
   */
  readonly asWritten?: boolean;
}

/** A tutorial that was gone through. */
export interface Tutorial {
  readonly facts: TutorialFacts;
  readonly steps: readonly TutorialStep[];
  readonly info: WorkerInfo;
}

/**
 * Goes through the tutorial with one picture, on the CPU as its text does.
 *
 * @param image the path of a file, as `Image.open` takes it.
 * @throws IsotorchError what `createClassifier` and `classify` throw.
 */
export async function runTutorial(image: string, options: TutorialOptions = {}): Promise<Tutorial> {
  const { asWritten = false, labels: labelFile, ...classifierOptions } = options;
  refuseOtherThanText(image, classifierOptions);
  const given =
    labelFile === undefined
      ? undefined
      : await readLabelFile(labelFile, (sentence) => options.logger?.warn(sentence));
  if (given !== undefined) refuseOtherThanLines(labelFile, given);
  const { info, models, result } = await answer(image, { ...classifierOptions, device: "cpu" });
  const { logits, tensor, pixels, top } = result;
  if (logits === undefined || tensor === undefined || pixels === undefined) {
    throw new IsotorchError("PROTOCOL_ERROR", "The classifier left out what it was asked for.");
  }
  // The tutorial's own labels are ImageNet's.
  const read = given ?? (info.classes === IMAGENET ? await readLabelFile(LABELS) : undefined);
  const numbers = asWritten ? await withoutEval(tensor, info, options.signal) : evaluated(logits, top);
  const facts: TutorialFacts = {
    image,
    width: pixels.width,
    height: pixels.height,
    models,
    torchvision: info.versions["torchvision"] ?? "0",
    torch: info.versions["torch"] ?? "0",
    spec: info.spec,
    model: info.model,
    head: knownModel(info.model).head,
    classes: info.classes,
    weights: info.weights,
    asWritten,
    labels: chooseLabels(
      read?.labels,
      Array.from({ length: info.classes }, (_, index) => `class ${index}`),
    ),
    labelFile: read
      ? {
          shown: labelFile ?? "imagenet_classes.txt",
          path: labelFile ?? LABELS,
          encoding: pythonEncodingOf(read),
        }
      : null,
    ...numbers,
  };
  return { facts, steps: tutorialSteps(facts), info };
}

/** The tutorial's statement reads lines: another format would make other labels of the same file. */
function refuseOtherThanLines(file: string | undefined, { isLines }: LabelFile): void {
  if (isLines) return;
  throw new IsotorchError(
    "BAD_LABELS",
    `The tutorial reads one label per line, and ${shown(file ?? "")} has another format.`,
    {
      hint: "Write one label per line, in the order of the classes; other commands read this file.",
    },
  );
}

/** What `open(…, encoding=…)` takes for the same text. */
function pythonEncodingOf({ encoding, isPlain }: LabelFile): string {
  if (encoding === "utf-8") return isPlain ? "utf-8" : "utf-8-sig";
  // Python's takes the byte order from the mark and leaves the mark away, and its own Big5 lacks what the standard's has.
  return encoding === "gb18030" ? encoding : encoding === "big5" ? "big5hkscs" : "utf-16";
}

type Answer = Pick<TutorialFacts, "logits" | "percentages" | "order">;

async function answer(image: string, options: ClassifierOptions) {
  await using classifier = await createClassifier(options);
  const include = { logits: true, tensor: true, pixels: true };
  const call = { topK: 0, include, ...(options.signal && { signal: options.signal }) };
  const result = await classifier.classifyDetailed(image, call);
  return { info: ofWorker(classifier.info(), "The tutorial"), models: await classifier.models(), result };
}

function evaluated(logits: Float32Array, top: readonly Classification[]): Answer {
  const percentages = new Float32Array(logits.length);
  for (const { index, percent } of top) percentages[index] = percent;
  return { logits, percentages, order: top.map(({ index }) => index) };
}

/** A worker has no training mode, and should have none: a plain process of the same Python answers once. */
async function withoutEval({ data, shape }: Tensor, info: WorkerInfo, signal?: AbortSignal): Promise<Answer> {
  const { path, sha256, checkpointKey } = info.weights;
  const reply = await runScript({
    script: "as_written.py",
    args: [
      `--checkpoint=${path}`,
      `--sha256=${sha256}`,
      `--threads=${info.threads}`,
      `--size=${shape.slice(-2).join(",")}`,
      `--model=${info.model}`,
      ...(checkpointKey === undefined ? [] : [`--checkpoint-key=${checkpointKey}`]),
    ],
    input: new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
    python: info.executable,
    signal,
  });
  const { logits, percentages, order, refused } = reply;
  if (typeof refused === "string") {
    throw new IsotorchError("INVALID_OPTION", `Without eval() ${info.model} ${excerpt(refused)}.`, {
      hint: "Leave --as-written out: the tutorial's own resnet101 has no such layer.",
    });
  }
  if (!Array.isArray(order)) throw new IsotorchError("PROTOCOL_ERROR", "The script answered no order.");
  return { logits: floatsFrom(logits), percentages: floatsFrom(percentages), order: order.map(Number) };
}

function refuseOtherThanText(image: string, { device }: ClassifierOptions): void {
  if (device !== undefined && device !== "cpu" && device !== "auto") {
    throw new IsotorchError("INVALID_OPTION", `The tutorial runs on the CPU, not on ${String(device)}.`, {
      hint: "Leave --device out; `isotorch parity` compares devices.",
    });
  }
  if (image === "-" || /^[a-z][a-z0-9+.-]+:/i.test(image)) {
    throw new IsotorchError("INVALID_OPTION", "The tutorial opens a file: IMAGE is a path.", {
      hint: "Save the picture first.",
    });
  }
}
