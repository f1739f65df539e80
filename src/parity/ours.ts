/** Our side of the ladder: the real path through the classifier, and its steps one by one beside it. */
import type { Classification, Classifier, DetailedResult } from "../classification/classifier.ts";
import { IsotorchError } from "../base/errors.ts";
import type { IsotorchErrorCode } from "../base/errors.ts";
import { firstAxis } from "../image/attest/attestation.ts";
import type { CoefficientSource } from "../image/resample/coefficients.ts";
import { resizedSize } from "../image/resample/geometry.ts";
import type { InputSpec, Pixels } from "../image/resample/geometry.ts";
import { preprocessPixels, preprocessStages } from "../image/preprocess.ts";
import { resizeAndCrop } from "../image/resample/resample.ts";
import type { Passes } from "../image/resample/resample.ts";
import type { ImageInput } from "../image/source/source.ts";
import { normalize, toTensor } from "../image/tensor.ts";
import type { ClassifyOptions } from "../classification/options.ts";
import { arrayOfFloats, arrayOfIntegers, arrayOfPixels, arrayOfTensor } from "./compare/array.ts";
import type { StageArray } from "./compare/array.ts";
import { LARGEST_RESIZED } from "./stages.ts";
import type { ArrayStage, OurTrace, Refusal } from "./stages.ts";

export interface OurOptions {
  /** How the picture is read. @default as the tutorial reads it */
  readonly call?: Pick<ClassifyOptions, "exif" | "icc" | "mode" | "signal" | "handoff">;
  /** Another resampler than Pillow's, to see the ladder notice it. */
  readonly coefficients?: CoefficientSource;
  /** Another preprocessing than the weights' own, to see the ladder notice it. */
  readonly spec?: InputSpec;
  /** Other labels than the classifier's, by class. */
  readonly labels?: readonly string[];
}

/** Failures that are an answer about the picture; every other one ends the run. */
const REFUSALS: ReadonlySet<IsotorchErrorCode> = new Set([
  "INPUT_NOT_FOUND",
  "INPUT_UNREADABLE",
  "INPUT_TOO_LARGE",
  "UNSUPPORTED_FORMAT",
  "UNSUPPORTED_MODE",
  "DECODE_FAILED",
  "POISON_INPUT",
  "NON_FINITE_OUTPUT",
]);

/**
 * Everything that our side makes of a picture. With `coefficients` or `spec` the tensor is made from them and handed to
 * the same classifier, so that the damage reaches the logits as it would in earnest.
 *
 * @throws IsotorchError for a failure that is not about the picture.
 */
export async function ourStages(
  classifier: Classifier,
  image: ImageInput,
  options: OurOptions = {},
): Promise<OurTrace | Refusal> {
  try {
    return await traced(classifier, image, options);
  } catch (error) {
    return refusalOf(error);
  }
}

/** The refusal that an error is. @throws the error itself where it is none. */
export function refusalOf(error: unknown): Refusal {
  if (!(error instanceof IsotorchError) || !REFUSALS.has(error.code)) throw error;
  return { kind: "refused", code: error.code, message: error.message };
}

async function traced(classifier: Classifier, image: ImageInput, options: OurOptions): Promise<OurTrace> {
  const include = { logits: true, embedding: true, tensor: true, pixels: true };
  const asked: ClassifyOptions = { ...options.call, topK: 0, timeoutMs: 0, include };
  let result = await classifier.classifyDetailed(image, asked);
  const { pixels } = result;
  const info = classifier.info();
  const spec = options.spec ?? info.spec;
  const first = pixels && firstAxis(info.attestation, pixels, spec);
  const passes: Passes = { first, coefficients: options.coefficients };
  if (pixels && (options.coefficients || options.spec)) {
    const tensor = preprocessPixels(pixels, spec, passes);
    result = await classifier.classifyDetailed(tensor, asked);
  }
  const steps = pixels ? stepsOf(pixels, spec, passes) : { arrays: {}, skipped: {} };
  return {
    kind: "traced",
    arrays: {
      ...steps.arrays,
      ...(result.tensor && { normalized: arrayOfTensor(result.tensor) }),
      ...answerOf(result),
    },
    labels: options.labels ?? labelsByClass(result.top),
    skipped: steps.skipped,
    ...(result.preprocessedBy && { by: result.preprocessedBy }),
    // Its own steps, where Node has made what the network saw.
    ...(result.preprocessedBy !== "worker" &&
      steps.arrays.normalized && { stepwise: steps.arrays.normalized }),
  };
}

/** The preprocessing, step by step, without a network. The decoded pixels are the first step. */
export function stepsOf(
  decoded: Pixels,
  spec: InputSpec,
  passes: Passes = {},
): Pick<OurTrace, "arrays" | "skipped"> {
  const { width, height } = resizedSize(decoded.width, decoded.height, spec.resize);
  if (width * height * 3 > LARGEST_RESIZED) {
    const cropped = resizeAndCrop(decoded, spec, passes);
    const floats = toTensor(cropped);
    return {
      arrays: {
        decoded: arrayOfPixels(decoded),
        cropped: arrayOfPixels(cropped),
        toTensor: arrayOfTensor(floats),
        normalized: batched(arrayOfTensor(normalize(floats, spec))),
      },
      skipped: { resized: `${width} x ${height} pixels are too many; the crop is compared` },
    };
  }
  const stages = preprocessStages(decoded, spec, passes);
  return {
    arrays: {
      decoded: arrayOfPixels(stages.decoded),
      resized: arrayOfPixels(stages.resized),
      cropped: arrayOfPixels(stages.cropped),
      toTensor: arrayOfTensor(stages.toTensor),
      normalized: batched(arrayOfTensor(stages.normalized)),
    },
    skipped: {},
  };
}

/** The tutorial's `unsqueeze(img_t, 0)`. */
function batched(array: StageArray): StageArray {
  return { ...array, shape: [1, ...array.shape] };
}

function answerOf({ top, logits, embedding }: DetailedResult): Partial<Record<ArrayStage, StageArray>> {
  const percentages = new Float32Array(top.length);
  for (const { index, percent } of top) percentages[index] = percent;
  return {
    ...(embedding && { embedding: arrayOfTensor(embedding) }),
    ...(logits && { logits: arrayOfFloats(logits) }),
    percentages: arrayOfFloats(percentages),
    order: arrayOfIntegers(top.map(({ index }) => index)),
  };
}

function labelsByClass(top: readonly Classification[]): string[] {
  const labels: string[] = [];
  for (const { index, label } of top) labels[index] = label;
  return labels;
}
