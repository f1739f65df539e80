/** Every option, documented one by one; resolved once at the door and trusted inside. */
import { isRecord } from "../base/files/json.ts";
import type { Logger } from "../base/logger.ts";
import type { TransformsName } from "../checkpoints/resolve.ts";
import type { Handoff, Precision } from "../protocol/messages.ts";
import { DEFAULT_LIMITS, type PartialLimits } from "../image/source/limits.ts";
import {
  type Check,
  DRAIN,
  FLAG,
  FUNCTION,
  POSITIVE,
  SIGNAL,
  TEXT,
  WHOLE,
  type Checks,
  check,
  either,
  fits,
  flags,
  defined,
  invalid,
  listOf,
  numbers,
  oneOf,
  whole,
} from "../base/options/check.ts";
import { WORKER_OPTIONS, isRemote } from "../remote/options.ts";
import type { RemoteOptions } from "../remote/options.ts";
import { DEFAULT_POLICY } from "../worker/supervision/policy.ts";
import type { ProgressEvent } from "../base/progress.ts";
import type { SupervisionPolicy } from "../worker/supervision/policy.ts";

export type { Logger } from "../base/logger.ts";
export type { TransformsName } from "../checkpoints/resolve.ts";
export type { Handoff, Precision } from "../protocol/messages.ts";
export type { ProgressEvent } from "../base/progress.ts";
export type { RemoteOptions } from "../remote/options.ts";

export type Device = "auto" | "cpu" | "cuda" | `cuda:${number}`;

export interface ClassifierOptions {
  /**
   * Servers that hold the network, in place of a worker of this machine: `isotorch serve`, Ray Serve, Triton, KServe.
   * Pictures are still read and preprocessed here. What belongs to a worker, such as `weights` or `device`, is the
   * server's to choose then.
   * @default a worker of this machine
   */
  readonly remote?: string | readonly string[] | RemoteOptions;
  /**
   * A checkpoint by torchvision's name, the path of a `.pth` state dict, or `untrained:SEED`.
   * @default "IMAGENET1K_V1"
   */
  readonly weights?: "IMAGENET1K_V1" | "IMAGENET1K_V2" | `untrained:${number}` | (string & {});
  /**
   * The network, as torchvision names it.
   * @default "resnet101"
   */
  readonly model?: "resnet101";
  /** Full SHA-256 of a checkpoint given by path, 64 hex digits. Without it `trustCheckpoint` is needed. */
  readonly sha256?: string;
  /**
   * Load a checkpoint given by path without knowing its hash.
   * @default false
   */
  readonly trustCheckpoint?: boolean;
  /**
   * Which weights' preprocessing goes with a checkpoint given by path: V2 resizes to 232 instead of 256.
   * @default the weights' own; "IMAGENET1K_V1" for a path or `untrained:SEED`
   */
  readonly transforms?: TransformsName;
  /**
   * Where the network runs. `auto` takes the first CUDA device, and the CPU where there is none; which it was is
   * in `info()`. A device that is asked for by name and not there is an error. A list has one worker per entry.
   * @default "auto"
   */
  readonly device?: Device | readonly Device[];
  /**
   * Workers side by side; each call goes to the one with the least to do. On GPUs one per GPU. On a CPU they share
   * its cores, which rarely pays.
   * @default 1, or as many as `device` lists
   */
  readonly workers?: number;
  /**
   * `exact` keeps every bit of plain PyTorch in the same environment with the same number of threads. `fused` is
   * float32 with BatchNorm folded into the convolutions; `bf16` and `fp16` also lower the arithmetic. What each does
   * to the answer is in docs/performance.md.
   * @default "exact"
   */
  readonly precision?: Precision;
  /**
   * What crosses to the worker: the normalised float32 tensor (602,112 bytes), the cropped uint8 pixels
   * (150,528 bytes, normalised by torch), or the file itself. All three give the same bits.
   * @default "tensor"; "pixels" where the network runs on a GPU
   */
  readonly handoff?: Handoff;
  /**
   * PyTorch's CPU threads, of each worker. The count belongs to the answer: another count may change the last bits.
   * Without it `OMP_NUM_THREADS` and `MKL_NUM_THREADS` count exactly as in plain PyTorch, also 1. Without these it is
   * PyTorch's own choice, or all CPUs where that is 1; at most the cgroup's CPU quota, at least 2. Several workers divide
   * the CPUs. `info().threadsReason` says which of these it was.
   * @default PyTorch's own choice, or all available cores where that is one; several workers divide the cores
   */
  readonly threads?: number;
  /**
   * How calls that wait are sent together. `maxSize`: pictures in a batch at most; 0 = as many as the worker chooses by
   * its device and precision. `maxDelayMs`: how long a batch that is not full waits for company, milliseconds.
   * @default { maxSize: 0, maxDelayMs: 0 }
   */
  readonly batch?: { readonly maxSize?: number; readonly maxDelayMs?: number };
  /** The Python interpreter; nothing else is tried. Also `ISOTORCH_PYTHON`. */
  readonly python?: string;
  /** A conda environment by name or prefix; nothing else is tried. */
  readonly env?: string;
  /**
   * Labels: a list, or a file with one per line, or in JSON, Python's or CSV's form (docs/errors.md, `BAD_LABELS`); as
   * many as the network has classes.
   * @default the categories of the weights
   */
  readonly labels?: string | readonly string[];
  /**
   * Where checkpoints are kept.
   * @default torchvision's place, `$TORCH_HOME/hub/checkpoints`
   */
  readonly cacheDir?: string;
  /**
   * Never download. Also `ISOTORCH_OFFLINE=1`.
   * @default false
   */
  readonly offline?: boolean;
  /**
   * Base URL of a mirror of the checkpoints, which has them under torchvision's names. Also `ISOTORCH_WEIGHTS_URL`.
   * @default torchvision's own servers
   */
  readonly mirror?: string;
  /** Hears of downloads and of the phases of the worker's start. */
  readonly onProgress?: (event: ProgressEvent) => void;
  /**
   * Where log lines of the worker go, and warnings about files that were given, such as the encoding of `labels`.
   * @default nowhere
   */
  readonly logger?: Logger;
  /**
   * The largest picture: its `pixels` (width times height) and the `bytes` of its file; the longer `side`, the `scans` of a JPEG
   * and the `chunks` of a file, which small files can have enough of to keep a decoder busy for minutes. One beyond fails with
   * `INPUT_TOO_LARGE` before it is decoded. Above 67,108,864 pixels Pillow decodes, in a process beside the worker,
   * whose memory is then the largest. `bytes` is at most its default.
   * @default { pixels: 178956970, bytes: 603979776, side: 250000, scans: 100, chunks: 4096 }: what Pillow opens by itself, and more of the rest than pictures have
   */
  readonly limits?: PartialLimits;
  /** How many calls may be open at each worker; a call beyond fails at once with `QUEUE_FULL`. @default 128 requests and 96 MiB */
  readonly queue?: Partial<Pick<SupervisionPolicy, QueueLimit>>;
  /** How a worker is watched, restarted and given up; every number is documented in `SupervisionPolicy`. */
  readonly supervision?: Partial<Omit<SupervisionPolicy, QueueLimit | "batchSize" | "batchDelayMs">>;
  /** Aborts the start. */
  readonly signal?: AbortSignal;
}

type QueueLimit = "maxRequests" | "maxBytes";

export interface ClassifyOptions {
  /**
   * How many classes to answer, at most as many as the network has; 0 means all.
   * @default 5
   */
  readonly topK?: number;
  /** Aborts this call. */
  readonly signal?: AbortSignal;
  /**
   * Milliseconds until the call fails with `DEADLINE_EXCEEDED`; 0 means never.
   * @default 30000
   */
  readonly timeoutMs?: number;
  /** What `classifyDetailed` answers besides the top classes. @default none */
  readonly include?: {
    readonly logits?: boolean;
    readonly probabilities?: boolean;
    readonly tensor?: boolean;
    readonly pixels?: boolean;
    readonly timings?: boolean;
  };
  /**
   * `ignore` leaves a photograph as it is stored, as Pillow does; `apply` turns it upright.
   * @default "ignore"
   */
  readonly exif?: "ignore" | "apply";
  /**
   * `ignore` takes the stored values, as Pillow does; `to-srgb` converts by the embedded profile.
   * @default "ignore"
   */
  readonly icc?: "ignore" | "to-srgb";
  /**
   * `convert-rgb` does what `convert("RGB")` does in Pillow; `strict` refuses every picture that is not RGB.
   * @default "convert-rgb"
   */
  readonly mode?: "convert-rgb" | "strict";
  /**
   * What crosses to the worker for this call. `encoded` leaves the decoding to Pillow in the worker, away from this
   * process, unless `include` asks for what is made on the way.
   * @default the classifier's
   */
  readonly handoff?: Handoff;
  /** Goes to a remote server with the call, and into its log. @default a new one */
  readonly requestId?: string;
  /** W3C trace context, goes to a remote server with the call. @default a new trace */
  readonly traceparent?: string;
}

/** Options of the classifier after the door: defaults filled in, every value checked. */
export type ResolvedClassifierOptions = Required<
  Pick<
    ClassifierOptions,
    "weights" | "model" | "device" | "precision" | "threads" | "offline" | "trustCheckpoint"
  >
> &
  ClassifierOptions;

export type ResolvedClassifyOptions = Required<Omit<ClassifyOptions, Passed>> & Pick<ClassifyOptions, Passed>;
type Passed = "signal" | "handoff" | "requestId" | "traceparent";

/** Fills in the defaults. @throws IsotorchError `INVALID_OPTION` for an unknown name or a bad value. */
export function resolveClassifierOptions(options: ClassifierOptions = {}): ResolvedClassifierOptions {
  check(options, CLASSIFIER_CHECKS);
  refuseLocal(options);
  return {
    weights: "IMAGENET1K_V1",
    model: "resnet101",
    device: "auto",
    precision: "exact",
    threads: 0,
    trustCheckpoint: false,
    ...defined(options),
    offline: options.offline ?? process.env["ISOTORCH_OFFLINE"] === "1",
  };
}

/** A server has chosen these already: to ignore them would be to promise what does not hold. */
function refuseLocal(options: ClassifierOptions): void {
  if (options.remote === undefined) return;
  const local = WORKER_OPTIONS.find((name) => options[name] !== undefined);
  if (local === undefined) return;
  throw invalid(
    `Option "${local}" belongs to a worker of this machine, and "remote" asks for a server.`,
    "Leave one of them out; a server is given such options where it is started.",
  );
}

/** @throws IsotorchError `INVALID_OPTION` for more classes than the network has. The default takes what there is. */
export function checkTopK(topK: number | undefined, classes: number): void {
  if (topK !== undefined && topK > classes)
    throw invalid(
      `Option "topK" is ${topK}, and the network has ${classes} classes.`,
      "Give at most as many, or 0 for all.",
    );
}

/** @throws IsotorchError `INVALID_OPTION` for what is no time to wait. */
export function checkDrain(drainMs: unknown): void {
  check({ drainMs }, { drainMs: DRAIN });
}

/** Fills in the defaults. @throws IsotorchError `INVALID_OPTION` for an unknown name or a bad value. */
export function resolveClassifyOptions(options: ClassifyOptions = {}): ResolvedClassifyOptions {
  check(options, CLASSIFY_CHECKS);
  return {
    topK: 5,
    timeoutMs: 30_000,
    include: {},
    exif: "ignore",
    icc: "ignore",
    mode: "convert-rgb",
    ...defined(options),
  };
}

/** Parts the options of the one-call `classify()` into those of the classifier and those of the call. */
export function splitOptions(
  options: ClassifyOptions & ClassifierOptions,
): [ClassifierOptions, ClassifyOptions] {
  check(options, { ...CLASSIFIER_CHECKS, ...CLASSIFY_CHECKS });
  const entries = Object.entries(options);
  const ofCall = entries.filter(([name]) => Object.hasOwn(CLASSIFY_CHECKS, name));
  const ofClassifier = entries.filter(([name]) => !Object.hasOwn(CLASSIFY_CHECKS, name));
  return [Object.fromEntries(ofClassifier), Object.fromEntries(ofCall)];
}

const MAX_WORKERS = 64;
/** The largest number that the wire has. */
const MAX_COUNT = 2 ** 32 - 1;

/** Numbers of the policy whose zero says something: never, at once, none. */
const ZERO_MEANS: readonly string[] = ["steadyMs", "maxExits", "idleShutdownMs", "maxWorkerBytes"];

const LIMITS: Readonly<Record<string, Check>> = {
  ...Object.fromEntries(Object.keys(DEFAULT_LIMITS).map((name) => [name, whole(1, MAX_COUNT)])),
  bytes: whole(1, DEFAULT_LIMITS.bytes),
};
const POLICY: Readonly<Record<string, Check>> = {
  ...Object.fromEntries(
    Object.keys(DEFAULT_POLICY).map((name) => [name, ZERO_MEANS.includes(name) ? WHOLE : POSITIVE]),
  ),
  restartDelaysMs: listOf(WHOLE, "a list of milliseconds", 1),
  redelivery: oneOf("once", "never"),
};
const DEVICE: Check = [
  '"auto", "cpu", "cuda", "cuda:N"',
  (value) => typeof value === "string" && /^(?:auto|cpu|cuda(?::\d+)?)$/.test(value),
];
const STRING: Check = ["a string", (value) => typeof value === "string"];

const CLASSIFIER_CHECKS: Checks<ClassifierOptions> = {
  // The address of a server may come with a token.
  remote: [
    "an address, a list of addresses, or { url, token, model, version, connections, … }",
    isRemote,
    "secret",
  ],
  weights: TEXT,
  model: oneOf("resnet101"),
  sha256: ["64 hex digits", (value) => typeof value === "string" && /^[0-9a-f]{64}$/i.test(value)],
  trustCheckpoint: FLAG,
  transforms: oneOf("IMAGENET1K_V1", "IMAGENET1K_V2"),
  device: either(DEVICE, listOf(DEVICE, "a list of them", 1)),
  workers: whole(1, MAX_WORKERS),
  precision: oneOf("exact", "fused", "bf16", "fp16"),
  handoff: oneOf("tensor", "pixels", "encoded"),
  // 0, the default, is PyTorch's own choice.
  threads: ["a whole number from 1 to 1024", whole(0, 1024)[1]],
  batch: numbers("maxSize", "maxDelayMs"),
  python: TEXT,
  env: TEXT,
  labels: either(["a path", TEXT[1]], listOf(STRING, "a list of strings")),
  cacheDir: TEXT,
  offline: FLAG,
  mirror: TEXT,
  onProgress: FUNCTION,
  logger: [
    "an object with debug, info, warn and error",
    (value) =>
      isRecord(value) &&
      ["debug", "info", "warn", "error"].every((name) => typeof value[name] === "function"),
  ],
  limits: [
    `an object with pixels, side, scans and chunks from 1 to ${MAX_COUNT} and bytes from 1 to ${DEFAULT_LIMITS.bytes}, whole numbers`,
    (value) => fits(value, LIMITS),
  ],
  queue: [
    "an object with maxRequests and maxBytes as whole numbers from 1",
    (value) => fits(value, { maxRequests: POSITIVE, maxBytes: POSITIVE }),
  ],
  supervision: [
    `an object with names of SupervisionPolicy as whole numbers, from 1 but for ${ZERO_MEANS.join(", ")}`,
    (value) => fits(value, POLICY),
  ],
  signal: SIGNAL,
};

const CLASSIFY_CHECKS: Checks<ClassifyOptions> = {
  topK: WHOLE,
  signal: SIGNAL,
  timeoutMs: WHOLE,
  include: flags("logits", "probabilities", "tensor", "pixels", "timings"),
  exif: oneOf("ignore", "apply"),
  icc: oneOf("ignore", "to-srgb"),
  mode: oneOf("convert-rgb", "strict"),
  handoff: oneOf("tensor", "pixels", "encoded"),
  requestId: [
    "1 to 128 letters, digits, dots, colons, dashes or underscores",
    (value) => typeof value === "string" && /^[\w.:-]{1,128}$/.test(value),
  ],
  traceparent: [
    "a traceparent of W3C trace context",
    (value) => typeof value === "string" && /^[\da-f]{2}-[\da-f]{32}-[\da-f]{16}-[\da-f]{2}$/.test(value),
  ],
};
