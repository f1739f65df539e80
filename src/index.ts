export { createClassifier } from "./classifier.ts";
export type { Classifier } from "./classifier.ts";
export { ERROR_CODES, IsotorchError } from "./errors.ts";
export type { IsotorchErrorCode, IsotorchErrorDetails } from "./errors.ts";
export type { ImageInput, Pixels, RawPixels } from "./image/source.ts";
export type { InputSpec } from "./image/geometry.ts";
export type { Tensor } from "./image/tensor.ts";
export type {
  ClassifierOptions,
  ClassifyOptions,
  Handoff,
  Logger,
  ProgressEvent,
  TransformsName,
} from "./options.ts";
export { classify, preprocess } from "./oneshot.ts";
export type { SupervisionPolicy } from "./worker/policy.ts";
export type { Classification, DetailedResult } from "./result.ts";
export type { WorkerInfo } from "./worker/start.ts";
export type { Phase } from "./worker/supervise.ts";
export type { Health, Stats } from "./worker/supervisor.ts";
