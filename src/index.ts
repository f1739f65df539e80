// oxlint-disable-next-line import/no-unassigned-import -- it looks at the host before what follows is loaded
import "./host.ts";
export { createClassifier } from "./classifier.ts";
export type { Classifier, Stats } from "./classifier.ts";
export { ERROR_CODES, IsotorchError } from "./errors.ts";
export type { IsotorchErrorCode, IsotorchErrorDetails } from "./errors.ts";
export type {
  BodyLike,
  Bytes,
  ImageDataLike,
  ImageInput,
  Pixels,
  RawPixels,
  UploadedFile,
} from "./image/source.ts";
export type { Histogram } from "./histogram.ts";
export type { InputSpec } from "./image/geometry.ts";
export type { Tensor } from "./image/tensor.ts";
export type {
  ClassifierOptions,
  ClassifyOptions,
  Device,
  Handoff,
  Logger,
  Precision,
  ProgressEvent,
  RemoteOptions,
  TransformsName,
} from "./options.ts";
export { classify, preprocess } from "./oneshot.ts";
export type { SupervisionPolicy } from "./worker/policy.ts";
export type { Classification, DetailedResult } from "./result.ts";
export type { Attestation } from "./image/attest/attestation.ts";
export type { PartialLimits } from "./image/limits.ts";
export type { AttestedEnvironment, RemoteInfo, WorkerInfo, WorkerPlace } from "./worker/start.ts";
export type { Phase } from "./worker/supervise.ts";
export type { Health } from "./worker/pool.ts";
export type { WorkerHealth, WorkerStats } from "./worker/supervisor.ts";
