/** Made by `npm run protocol` from `python/isotorch_worker/protocol/messages.json`: do not edit. */

import type { IsotorchErrorCode } from "../base/codes.ts";

export type Dtype = "<f4" | "<i8" | "|u1";

export type Task = "image-classification" | "text-generation";
export type Handoff = "tensor" | "pixels" | "encoded";
export type Include = "logits" | "probabilities" | "embedding";
export type Inspected = "embeddings" | "nearest" | "attention" | "hidden" | "norm" | "logits";
export type HeadRows = "all" | "last";
export type Activation = "softmax" | "sigmoid";
export type Exif = "ignore" | "apply";
export type Icc = "ignore" | "to-srgb";
export type Mode = "convert-rgb" | "strict";
export type Precision = "exact" | "fused" | "bf16" | "fp16";
export type Phase = "import" | "make" | "verify" | "build" | "load" | "warm-up";
export type Level = "debug" | "info" | "warning" | "error";
export type Interpolation = "nearest" | "bilinear" | "bicubic";

export interface WireSpec {
  readonly resize: number | readonly [number, number];
  readonly crop: number | readonly [number, number];
  readonly mean: readonly number[];
  readonly std: readonly number[];
  readonly interpolation: Interpolation;
}

export interface WirePictureLoad {
  readonly transforms: string | null;
  readonly spec: WireSpec | null;
}

export interface WireTextLoad {
  readonly config: string;
}

export interface WirePictureNetwork {
  readonly classes: number;
  readonly embedding: number;
  readonly transforms: string | null;
  readonly spec: WireSpec;
}

export interface WireTextNetwork {
  readonly vocabulary: number;
  readonly context: number;
  readonly layers: number;
  readonly heads: number;
  readonly width: number;
  readonly headRows: HeadRows;
  readonly reference: string;
}

export interface FieldsByType {
  hello: {
    readonly package: string;
    readonly proof: string;
    readonly pid: number;
    readonly python: string;
    readonly executable: string;
  };
  load: {
    readonly task: Task;
    readonly model: string | null;
    readonly checkpoint: string;
    readonly checkpointKey: string | null;
    readonly sha256: string | null;
    readonly seed: number | null;
    readonly network: WirePictureLoad | WireTextLoad;
    readonly device: string;
    readonly precision: Precision;
    readonly threads: number;
    readonly maxBatch: number;
  };
  progress: {
    readonly phase: Phase;
    readonly fraction: number | null;
  };
  ready: {
    readonly versions: Readonly<Record<string, string>>;
    readonly device: string;
    readonly deviceName: string;
    readonly deviceReason: string;
    readonly threads: number;
    readonly threadsReason: string;
    readonly precision: Precision;
    readonly model: string;
    readonly sha256: string;
    readonly checkpointKey: string;
    readonly prefix: string;
    readonly network: WirePictureNetwork | WireTextNetwork;
    readonly maxBatch: number;
    readonly warmupMs: number;
    readonly blasGflops: number | null;
  };
  classify: {
    readonly handoff: Handoff;
    readonly topK: number;
    readonly activation: Activation;
    readonly include: readonly Include[];
    readonly maxPixels: number;
    readonly deadlineMs: number | null;
    readonly following: number;
  };
  decode: {
    readonly exif: Exif;
    readonly icc: Icc;
    readonly mode: Mode;
    readonly maxPixels: number;
    readonly spec: WireSpec | null;
    readonly picture: boolean;
    readonly deadlineMs: number | null;
    readonly following: number;
  };
  attest: {
    readonly spec: WireSpec;
    readonly deadlineMs: number | null;
    readonly following: number;
  };
  generate: {
    readonly maxTokens: number;
    readonly temperature: number;
    readonly topK: number;
    readonly topP: number;
    readonly minP: number;
    readonly repetitionPenalty: number;
    readonly seed: number;
    readonly candidates: number;
    readonly logits: boolean;
    readonly deadlineMs: number | null;
    readonly following: number;
  };
  inspect: {
    readonly include: readonly Inspected[];
    readonly deadlineMs: number | null;
    readonly following: number;
  };
  part: {
    readonly sequence: number;
  };
  result: {
    readonly timings: Readonly<Record<string, number>>;
    readonly batch: number;
  };
  error: {
    readonly code: IsotorchErrorCode;
    readonly message: string;
    readonly hint: string | null;
  };
  cancel: {};
  ping: {};
  pong: {
    readonly residentKiB: number | null;
  };
  stop: {};
  log: {
    readonly level: Level;
    readonly message: string;
  };
}

export type MessageType = keyof FieldsByType;
export type Fields<T extends MessageType> = FieldsByType[T];
