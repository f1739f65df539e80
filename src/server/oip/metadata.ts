/** Names, types and shapes of the Open Inference Protocol, version 2, as this server speaks it. */
import type { ClassifierInfo } from "../../classification/info.ts";
import { cropSize, type InputSpec } from "../../image/resample/geometry.ts";
import { PACKAGE_VERSION } from "../../base/version.ts";

/** Of each model there is one. */
export const VERSION = "1";
/** Pictures of one request. */
export const MAX_BATCH = 32;
/** What may be made of the logits, by the request's parameter `activation`. */
export const ACTIVATIONS = ["softmax", "sigmoid"] as const;
/** Of the protocol's, by the names that Triton gives them. */
const EXTENSIONS = ["binary_tensor_data", "classification", "model_configuration", "statistics"];

export type DataType = "FP32" | "UINT8" | "INT32" | "BYTES";

export interface TensorMetadata {
  readonly name: string;
  readonly datatype: DataType;
  /** -1: any, up to {@link MAX_BATCH}. */
  readonly shape: readonly number[];
}

/** What a network takes and gives, under its name. */
export interface Model {
  readonly name: string;
  readonly spec: InputSpec;
  readonly classes: number;
  /** Values of an embedding; 0 where there is none. */
  readonly embedding: number;
}

export function modelOf(name: string, { spec, classes, embedding = 0 }: ClassifierInfo): Model {
  return { name, spec, classes, embedding };
}

/** A request has one of them. */
export function inputsOf({ spec }: Pick<Model, "spec">): readonly TensorMetadata[] {
  const { width, height } = cropSize(spec);
  return [
    { name: "input", datatype: "FP32", shape: [-1, 3, height, width] },
    { name: "pixels", datatype: "UINT8", shape: [-1, height, width, 3] },
    { name: "image", datatype: "BYTES", shape: [-1, 1] },
  ];
}

/** The first three are answered where a request names none. */
export function outputsOf({
  classes,
  embedding,
}: Pick<Model, "classes" | "embedding">): readonly TensorMetadata[] {
  const ofClasses: readonly TensorMetadata[] = [
    { name: "logits", datatype: "FP32", shape: [-1, classes] },
    { name: "probabilities", datatype: "FP32", shape: [-1, classes] },
    { name: "indices", datatype: "INT32", shape: [-1, classes] },
  ];
  if (embedding === 0) return ofClasses;
  return [...ofClasses, { name: "embedding", datatype: "FP32", shape: [-1, embedding] }];
}

export function serverMetadata(): object {
  return { name: "isotorch", version: PACKAGE_VERSION, extensions: EXTENSIONS };
}

/**
 * For clients that prepare their own pictures: the preprocessing, and digests of what this server's Pillow and torchvision make
 * of the built-in ones.
 */
export function modelMetadata(model: Model, { model: network, spec, attestation }: ClassifierInfo): object {
  const tensors = { inputs: inputsOf(model), outputs: outputsOf(model) };
  const parameters = { model: network, spec, activations: ACTIVATIONS, attestation: attestation.digests };
  return { name: model.name, versions: [VERSION], platform: "pytorch", ...tensors, parameters };
}
