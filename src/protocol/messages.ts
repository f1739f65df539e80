/** Made by `npm run protocol` from `python/isotorch_worker/protocol/messages.json`: do not edit. */

import type { IsotorchErrorCode } from "../base/codes.ts";

export type Dtype = "<f4" | "<i8" | "|u1";

export interface WireSpec {
  readonly resize: number;
  readonly crop: number;
  readonly mean: readonly number[];
  readonly std: readonly number[];
  readonly interpolation: "bilinear" | "bicubic";
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
    readonly model: string;
    readonly checkpoint: string;
    readonly sha256: string | null;
    readonly trust: boolean;
    readonly seed: number | null;
    readonly transforms: string;
    readonly device: string;
    readonly precision: "exact" | "fused" | "bf16" | "fp16";
    readonly threads: number;
    readonly maxBatch: number;
  };
  progress: {
    readonly phase: "import" | "make" | "verify" | "build" | "load" | "warm-up";
    readonly fraction: number | null;
  };
  ready: {
    readonly versions: Readonly<Record<string, string>>;
    readonly device: string;
    readonly deviceName: string;
    readonly deviceReason: string;
    readonly threads: number;
    readonly threadsReason: string;
    readonly precision: "exact" | "fused" | "bf16" | "fp16";
    readonly sha256: string;
    readonly spec: WireSpec;
    readonly maxBatch: number;
    readonly warmupMs: number;
  };
  infer: {
    readonly handoff: "tensor" | "pixels" | "encoded";
    readonly topK: number;
    readonly include: readonly ("logits" | "probabilities")[];
    readonly maxPixels: number;
    readonly deadlineMs: number | null;
    readonly following: number;
  };
  decode: {
    readonly exif: "ignore" | "apply";
    readonly icc: "ignore" | "to-srgb";
    readonly mode: "convert-rgb" | "strict";
    readonly maxPixels: number;
    readonly spec: WireSpec | null;
    readonly picture: boolean;
    readonly deadlineMs: number | null;
  };
  attest: {
    readonly spec: WireSpec;
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
    readonly level: "debug" | "info" | "warning" | "error";
    readonly message: string;
  };
}

export type MessageType = keyof FieldsByType;
export type Fields<T extends MessageType> = FieldsByType[T];
