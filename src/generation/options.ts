/** What generators and their calls can be told. */
import type { Logger } from "../base/logger.ts";
import type { ProgressEvent } from "../base/progress.ts";
import type { SupervisionPolicy } from "../worker/supervision/policy.ts";

export interface GeneratorOptions {
  /**
   * `gpt2`, `gpt2-medium`, `gpt2-large`, `gpt2-xl` by OpenAI, or `tiny`, which comes with the package. A folder of `weights` says
   * itself which network it is.
   * @default "gpt2"
   */
  readonly model?: string;
  /**
   * `pretrained`; `untrained:SEED`, random values, which say nothing; the path of a folder with `config.json`, `model.safetensors`
   * and the tokenizer's files, as transformers' `save_pretrained` writes it; or the path of a `.safetensors` file.
   * @default "pretrained"
   */
  readonly weights?: string;
  /** Full SHA-256 of the checkpoint, 64 hex digits: another file is refused. @default what is known by name */
  readonly sha256?: string;
  /** Where the network computes: `auto`, `cpu`, `cuda`, `cuda:1`; a list for several workers. @default "auto" */
  readonly device?: string | readonly string[];
  /** Processes that each hold the network. @default one for each device */
  readonly workers?: number;
  /** PyTorch's CPU threads in each worker, 0 = PyTorch's own choice. The bits depend on it. @default 0 */
  readonly threads?: number;
  /** Path or name of the Python interpreter. @default the one that is found, as for classifiers */
  readonly python?: string;
  /** Path or name of the conda or virtual environment. @default the one that is found */
  readonly env?: string;
  /** Where downloaded and made checkpoints are kept. @default torchvision's place, `$TORCH_HOME/hub/checkpoints` */
  readonly cacheDir?: string;
  /** Never download. Also `ISOTORCH_OFFLINE=1`. @default false */
  readonly offline?: boolean;
  /**
   * Base URL of a mirror, which has `gpt2.safetensors` and so on. Also `ISOTORCH_WEIGHTS_URL`; `HF_ENDPOINT` names a mirror of the
   * whole Hugging Face hub.
   * @default the Hugging Face hub
   */
  readonly mirror?: string;
  /** Hears of downloads and of the phases of the worker's start. */
  readonly onProgress?: (event: ProgressEvent) => void;
  /** Where log lines of the worker go. @default nowhere */
  readonly logger?: Logger;
  /** Open calls at each worker; one beyond fails at once with `QUEUE_FULL`. @default 128 requests and 96 MiB */
  readonly queue?: Partial<Pick<SupervisionPolicy, "maxRequests" | "maxBytes">>;
  /** How a worker is watched, restarted and given up. */
  readonly supervision?: Partial<
    Omit<SupervisionPolicy, "maxRequests" | "maxBytes" | "batchSize" | "batchDelayMs">
  >;
  /** Aborts the start. */
  readonly signal?: AbortSignal;
}

export interface GenerateOptions {
  /** New tokens at most. With the prompt's they must fit the network's context. @default 64 */
  readonly maxTokens?: number;
  /** What the logits are divided by: below 1 likelier, above 1 more surprising; 0 takes the likeliest token each time. @default 1 */
  readonly temperature?: number;
  /** Only the so many likeliest tokens are drawn from; 0 = all. @default 0 */
  readonly topK?: number;
  /** Only the likeliest tokens are drawn from whose probabilities together reach this; above 0, 1 = all. @default 1 */
  readonly topP?: number;
  /** Tokens are left out whose probability is less than this share of the likeliest one's; 0 = none. @default 0 */
  readonly minP?: number;
  /** Makes tokens that stand in the text already less likely: above 1, as transformers' `repetition_penalty`. @default 1 */
  readonly repetitionPenalty?: number;
  /** Added to the logits of tokens, by their ids. @default none */
  readonly logitBias?: Readonly<Record<number, number>>;
  /** A whole number from 0 to 4294967295: the same text again in the same environment. @default one that is drawn, and told */
  readonly seed?: number;
  /** Texts that end the answer, which does not have them. @default none */
  readonly stop?: string | readonly string[];
  /** Tokens that end the answer, which does not have them, beside the tokenizer's `<|endoftext|>`. @default none */
  readonly stopIds?: readonly number[];
  /** Likeliest tokens that are told with each token, at most 100. @default 0 */
  readonly candidates?: number;
  /** Aborts this call. */
  readonly signal?: AbortSignal;
  /**
   * Milliseconds from one token to the next until the call fails with `DEADLINE_EXCEEDED`; 0 = never.
   * @default 120000; for networks with more than GPT-2's 124 million parameters as much longer, which `info().timeoutMs` says
   */
  readonly timeoutMs?: number;
}

export interface InspectOptions {
  /** What is looked at; at least one. */
  readonly include: {
    /** `tokenEmbeddings` and `positionEmbeddings`, [tokens, width]. */
    readonly embeddings?: boolean;
    /** `nearest`: other tokens of the vocabulary whose embeddings are most like each token's. */
    readonly nearest?: boolean;
    /** [layers, heads, tokens, tokens]: how much each token looks at each that stands before it. */
    readonly attention?: boolean;
    /** [layers, tokens, width]: what each layer gives to the next. */
    readonly hidden?: boolean;
    /** [tokens, width]: what the head is given. */
    readonly norm?: boolean;
    /** [tokens, vocabulary]. */
    readonly logits?: boolean;
  };
  readonly signal?: AbortSignal;
  /** Milliseconds from one layer to the next. @default as for `generate` */
  readonly timeoutMs?: number;
}

/** Options of a generator after the door: defaults filled in, every value checked. */
export type ResolvedGeneratorOptions = Required<
  Pick<GeneratorOptions, "weights" | "device" | "threads" | "offline">
> &
  GeneratorOptions;

/** Options of a call after the door. */
export type ResolvedGenerateOptions = Required<Omit<GenerateOptions, "signal" | "logitBias" | "stop">> &
  Pick<GenerateOptions, "signal"> & {
    readonly stop: readonly string[];
    readonly bias: ReadonlyMap<number, number>;
  };
