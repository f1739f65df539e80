/** Every option, documented one by one; `resolved.ts` checks them at the door. */
import type { Logger } from "../base/logger.ts";
import type { ProgressEvent } from "../base/progress.ts";
import type { TransformsName } from "../checkpoints/resolve.ts";
import type { InputSpec } from "../image/resample/geometry.ts";
import type { Transforms } from "../image/spec.ts";
import type { PartialLimits } from "../image/source/limits.ts";
import type { Activation, Handoff, Precision } from "../protocol/messages.ts";
import type { RemoteOptions } from "../remote/options.ts";
import type { SupervisionPolicy } from "../worker/supervision/policy.ts";

export type { Logger } from "../base/logger.ts";
export type { TransformsName } from "../checkpoints/resolve.ts";
export type { Activation, Handoff, Precision } from "../protocol/messages.ts";
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
   * A checkpoint by torchvision's name, the path of a file of one's own (`.pth`, `.pt`, `.bin`, `.ckpt`, `.safetensors`), or
   * `untrained:SEED`. No code of a file runs.
   * @default what `pretrained=True` gave, "IMAGENET1K_V1"; the two networks that never had it need a name
   */
  readonly weights?: "IMAGENET1K_V1" | "IMAGENET1K_V2" | `untrained:${number}` | (string & {});
  /**
   * One of torchvision's 80 classifiers, by its name there; `isotorch models` lists them. A file of one's own says by the names
   * and shapes of its tensors which one it is; a `model` that is given must be that one.
   * @default "resnet101"; for a file of one's own the one that it is
   */
  readonly model?: "resnet101" | "resnet50" | "vit_b_16" | (string & {});
  /** Which of several state dicts in a file of one's own, as in "model_ema". @default the only one */
  readonly checkpointKey?: string;
  /** Full SHA-256 of a checkpoint given by path, 64 hex digits: another file is refused. @default any file */
  readonly sha256?: string;
  /** No longer needed, and without effect: no code of a checkpoint runs. */
  readonly trustCheckpoint?: boolean;
  /**
   * Preprocessing: that of the network's weights of this name, or one's own.
   * @default the weights' own; for a path or `untrained:SEED` "IMAGENET1K_V1", or the first that the network has
   */
  readonly transforms?: TransformsName | Transforms;
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
   * @default the categories of the weights; of a file of one's own ImageNet's for 1,000 classes, else `class 0` and so on
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
   * Where log lines of the worker go, and warnings about files that were given, such as the encoding of `labels` and the
   * remarks on a checkpoint.
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
   * @default 30000; for networks with more GFLOPs than resnet101 as much longer, which `info().timeoutMs` says
   */
  readonly timeoutMs?: number;
  /** What `classifyDetailed` answers besides the top classes. @default none */
  readonly include?: {
    readonly logits?: boolean;
    readonly probabilities?: boolean;
    readonly embedding?: boolean;
    readonly tensor?: boolean;
    readonly pixels?: boolean;
    readonly timings?: boolean;
  };
  /**
   * What makes scores of logits: `softmax`, which sum to 1, or `sigmoid`, each for itself, for networks whose pictures may have
   * several labels. The order of the classes is the same.
   * @default "softmax"
   */
  readonly activation?: Activation;
  /** Leaves out classes with a lower score, 0 to 1; `topK: 0` with it gives all classes at or above. @default 0 */
  readonly threshold?: number;
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

/** What `embed` can be told: all of a call but what is about classes. */
export type EmbedOptions = Omit<ClassifyOptions, "topK" | "include" | "activation" | "threshold">;

/** Options of the classifier after the door: defaults filled in, every value checked. */
export type ResolvedClassifierOptions = Required<
  Pick<ClassifierOptions, "weights" | "device" | "precision" | "threads" | "offline">
> &
  Omit<ClassifierOptions, "transforms"> & { readonly transforms?: TransformsName | InputSpec };

export type ResolvedClassifyOptions = Required<Omit<ClassifyOptions, Passed>> & Pick<ClassifyOptions, Passed>;
type Passed = "signal" | "handoff" | "requestId" | "traceparent";
