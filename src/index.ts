// oxlint-disable-next-line import/no-unassigned-import -- it looks at the host before what follows is loaded
import "./host.ts";
export { createClassifier } from "./classification/classifier.ts";
export type { Classifier, Stats } from "./classification/classifier.ts";
export { ERROR_CODES, IsotorchError } from "./base/errors.ts";
export type { IsotorchErrorCode, IsotorchErrorDetails } from "./base/errors.ts";
export type {
  BodyLike,
  Bytes,
  ImageDataLike,
  ImageInput,
  Pixels,
  RawPixels,
  UploadedFile,
} from "./image/source/source.ts";
export type { Histogram } from "./base/time/histogram.ts";
export type { InputSpec, Interpolation, Sides } from "./image/resample/geometry.ts";
export type { Transforms } from "./image/spec.ts";
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
} from "./classification/options.ts";
export { createGenerator } from "./generation/generator.ts";
export type { GeneratedText, Prompt, TextGenerator } from "./generation/generator.ts";
export type { GeneratorInfo } from "./generation/info.ts";
export type { Inspection, NearToken } from "./generation/inspection.ts";
export type { GenerateOptions, GeneratorOptions, InspectOptions } from "./generation/options.ts";
export type { Candidate, FinishReason, TextStream, Token } from "./generation/stream.ts";
export type { StageArray } from "./tasks/inspect.ts";
export { classify, preprocess } from "./classification/oneshot.ts";
export type { SupervisionPolicy } from "./worker/supervision/policy.ts";
export type { Classification, DetailedResult } from "./classification/result.ts";
export type { Attestation, AttestedEnvironment } from "./image/attest/attestation.ts";
export type { PartialLimits } from "./image/source/limits.ts";
export type { ClassifierInfo, WorkerInfo } from "./classification/info.ts";
export type { MachineInfo, WorkerPlace } from "./worker/machine/info.ts";
export type { RemoteClassifierInfo, RemoteInfo } from "./remote/info.ts";
export type { Phase } from "./backend.ts";
export type { Health } from "./backend.ts";
export type { WorkerHealth, WorkerStats } from "./backend.ts";
