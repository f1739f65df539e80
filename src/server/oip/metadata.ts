/** Names, types and shapes of the Open Inference Protocol, version 2, as this server speaks it. */
import type { Digests } from "../../image/attest/built-in.ts";
import { cropSize, type InputSpec } from "../../image/resample/geometry.ts";
import { PACKAGE_VERSION } from "../../base/version.ts";
import { HttpProblem } from "../problem.ts";

export const MODEL = "resnet101";
export const VERSION = "1";
/** Pictures of one request. */
export const MAX_BATCH = 32;
export const CLASSES = 1_000;
/** Of the protocol's, by the names that Triton gives them. */
const EXTENSIONS = ["binary_tensor_data", "classification", "model_configuration", "statistics"];

export type DataType = "FP32" | "UINT8" | "INT32" | "BYTES";

export interface TensorMetadata {
  readonly name: string;
  readonly datatype: DataType;
  /** -1: any, up to {@link MAX_BATCH}. */
  readonly shape: readonly number[];
}

/** A request has one of them. */
export function inputsOf(spec: InputSpec): readonly TensorMetadata[] {
  const { width, height } = cropSize(spec);
  return [
    { name: "input", datatype: "FP32", shape: [-1, 3, height, width] },
    { name: "pixels", datatype: "UINT8", shape: [-1, height, width, 3] },
    { name: "image", datatype: "BYTES", shape: [-1, 1] },
  ];
}

export const OUTPUTS: readonly TensorMetadata[] = [
  { name: "logits", datatype: "FP32", shape: [-1, CLASSES] },
  { name: "probabilities", datatype: "FP32", shape: [-1, CLASSES] },
  { name: "indices", datatype: "INT32", shape: [-1, CLASSES] },
];

export function serverMetadata(): object {
  return { name: "isotorch", version: PACKAGE_VERSION, extensions: EXTENSIONS };
}

/** `attestation`: digests of what this server's Pillow and torchvision make of the built-in pictures, for clients that prepare their own. */
export function modelMetadata(spec: InputSpec, attestation: Digests): object {
  const tensors = { inputs: inputsOf(spec), outputs: OUTPUTS };
  return { name: MODEL, versions: [VERSION], platform: "pytorch", ...tensors, parameters: { attestation } };
}

/** @throws HttpProblem `NOT_FOUND` for another model or version than the one that is here. */
export function checkModel(params: unknown): void {
  const { model, version = VERSION } = params as { readonly model?: string; readonly version?: string };
  if (model === MODEL && version === VERSION) return;
  const what = model === MODEL ? "version of it" : "model";
  throw new HttpProblem("NOT_FOUND", `There is no such ${what}.`, `There is ${MODEL}, version ${VERSION}.`);
}
