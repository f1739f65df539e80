/** Options at the door: every name and value checked once, defaults filled in, trusted inside. */
import { isRecord } from "../base/files/json.ts";
import { LEAST_MS } from "../checkpoints/deadline.ts";
import { isPath } from "../checkpoints/resolve.ts";
import { DEFAULT_MODEL, defaultWeights, isWeightsName } from "../checkpoints/table.ts";
import { checkedSpec } from "../image/spec.ts";
import { DEFAULT_LIMITS } from "../image/source/limits.ts";
import {
  type Check,
  DRAIN,
  FLAG,
  FUNCTION,
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
import { DEVICE, LOGGER, QUEUE, SHA256, SUPERVISION, THREADS, WORKERS } from "../worker/machine/checks.ts";
import type {
  ClassifierOptions,
  ClassifyOptions,
  EmbedOptions,
  ResolvedClassifierOptions,
  ResolvedClassifyOptions,
} from "./options.ts";

/** Fills in the defaults. @throws IsotorchError `INVALID_OPTION` for an unknown name or a bad value. */
export function resolveClassifierOptions(options: ClassifierOptions = {}): ResolvedClassifierOptions {
  check(options, CLASSIFIER_CHECKS);
  refuseLocal(options);
  const { transforms, ...given } = options;
  const weights = options.weights ?? defaultWeights(options.model ?? DEFAULT_MODEL);
  return {
    device: "auto",
    precision: "exact",
    threads: 0,
    ...defined(given),
    weights,
    ...(transforms !== undefined && {
      transforms: typeof transforms === "string" ? transforms : checkedSpec(transforms),
    }),
    // A file says itself which network it is of.
    ...(options.model === undefined && !isPath(weights) && { model: DEFAULT_MODEL }),
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
    local === "model"
      ? "Name the model that the server has as `remote: { url, model }`."
      : "Leave one of them out; a server is given such options where it is started.",
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

/**
 * Fills in the defaults.
 *
 * @param timeoutMs what a call of this network has where it says nothing.
 * @throws IsotorchError `INVALID_OPTION` for an unknown name or a bad value.
 */
export function resolveClassifyOptions(
  options: ClassifyOptions = {},
  timeoutMs: number = LEAST_MS,
): ResolvedClassifyOptions {
  check(options, CLASSIFY_CHECKS);
  return {
    topK: 5,
    timeoutMs,
    include: {},
    activation: "softmax",
    threshold: 0,
    exif: "ignore",
    icc: "ignore",
    mode: "convert-rgb",
    ...defined(options),
  };
}

/** @throws IsotorchError `INVALID_OPTION` for an unknown name or a bad value. */
export function checkEmbedOptions(options: EmbedOptions = {}): void {
  const { topK: _, include: __, activation: ___, threshold: ____, ...checks } = CLASSIFY_CHECKS;
  check(options, checks);
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

/** The largest number that the wire has. */
const MAX_COUNT = 2 ** 32 - 1;

const LIMITS: Readonly<Record<string, Check>> = {
  ...Object.fromEntries(Object.keys(DEFAULT_LIMITS).map((name) => [name, whole(1, MAX_COUNT)])),
  bytes: whole(1, DEFAULT_LIMITS.bytes),
};
const STRING: Check = ["a string", (value) => typeof value === "string"];

const CLASSIFIER_CHECKS: Checks<ClassifierOptions> = {
  // The address of a server may come with a token.
  remote: [
    "an address, a list of addresses, or { url, token, model, version, connections, … }",
    isRemote,
    "secret",
  ],
  weights: TEXT,
  // Which names there are, the table says, and the environment.
  model: TEXT,
  checkpointKey: TEXT,
  sha256: SHA256,
  trustCheckpoint: FLAG,
  transforms: [
    "a name of weights, or { resize, crop, interpolation, mean, std }",
    (value) => isRecord(value) || (typeof value === "string" && isWeightsName(value)),
  ],
  device: DEVICE,
  workers: WORKERS,
  precision: oneOf("exact", "fused", "bf16", "fp16"),
  handoff: oneOf("tensor", "pixels", "encoded"),
  threads: THREADS,
  batch: numbers("maxSize", "maxDelayMs"),
  python: TEXT,
  env: TEXT,
  labels: either(["a path", TEXT[1]], listOf(STRING, "a list of strings")),
  cacheDir: TEXT,
  offline: FLAG,
  mirror: TEXT,
  onProgress: FUNCTION,
  logger: LOGGER,
  limits: [
    `an object with pixels, side, scans and chunks from 1 to ${MAX_COUNT} and bytes from 1 to ${DEFAULT_LIMITS.bytes}, whole numbers`,
    (value) => fits(value, LIMITS),
  ],
  queue: QUEUE,
  supervision: SUPERVISION,
  signal: SIGNAL,
};

const CLASSIFY_CHECKS: Checks<ClassifyOptions> = {
  topK: WHOLE,
  signal: SIGNAL,
  timeoutMs: WHOLE,
  include: flags("logits", "probabilities", "embedding", "tensor", "pixels", "timings"),
  activation: oneOf("softmax", "sigmoid"),
  threshold: ["a number from 0 to 1", (value) => typeof value === "number" && value >= 0 && value <= 1],
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
