/** Options at the door: every name and value checked once, defaults filled in, trusted inside. */
import { randomInt } from "node:crypto";
import { isRecord } from "../base/files/json.ts";
import {
  type Check,
  type Checks,
  FLAG,
  FUNCTION,
  SIGNAL,
  TEXT,
  WHOLE,
  check,
  defined,
  either,
  flags,
  invalid,
  listOf,
  whole,
} from "../base/options/check.ts";
import { DEVICE, LOGGER, QUEUE, SHA256, SUPERVISION, THREADS, WORKERS } from "../worker/machine/checks.ts";
import type {
  GenerateOptions,
  GeneratorOptions,
  InspectOptions,
  ResolvedGenerateOptions,
  ResolvedGeneratorOptions,
} from "./options.ts";
import type { Inspected } from "../protocol/messages.ts";

/** The largest number that the wire has. */
const MAX_COUNT = 2 ** 32 - 1;
const MOST_CANDIDATES = 100;
/** Ids that a message has room for. */
const MOST_IDS = 65_536;

/** @throws IsotorchError `INVALID_OPTION` for an unknown name or a bad value. */
export function resolveGeneratorOptions(options: GeneratorOptions = {}): ResolvedGeneratorOptions {
  check(options, GENERATOR_CHECKS);
  return {
    weights: "pretrained",
    device: "auto",
    threads: 0,
    ...defined(options),
    offline: options.offline ?? process.env["ISOTORCH_OFFLINE"] === "1",
  };
}

/**
 * @param timeoutMs what a token of this network has where the call says nothing.
 * @throws IsotorchError `INVALID_OPTION` for an unknown name or a bad value.
 */
export function resolveGenerateOptions(
  options: GenerateOptions = {},
  timeoutMs: number,
): ResolvedGenerateOptions {
  check(options, GENERATE_CHECKS);
  const { stop = [], logitBias = {}, ...given } = defined(options);
  return {
    maxTokens: 64,
    temperature: 1,
    topK: 0,
    topP: 1,
    minP: 0,
    repetitionPenalty: 1,
    candidates: 0,
    stopIds: [],
    timeoutMs,
    seed: randomInt(MAX_COUNT + 1),
    ...given,
    stop: typeof stop === "string" ? [stop] : stop,
    bias: new Map(Object.entries(logitBias).map(([id, value]) => [Number(id), value])),
  };
}

/** @returns what is asked for, in the order in which the network has it. @throws IsotorchError `INVALID_OPTION` */
export function inspectedOf(options: InspectOptions): readonly Inspected[] {
  check(options, INSPECT_CHECKS);
  const include = INSPECTED.filter((name) => options.include?.[name] === true);
  if (include.length > 0) return include;
  throw invalid('Option "include" asks for nothing.', `Set one of ${INSPECTED.join(", ")} to true.`);
}

const INSPECTED = ["embeddings", "nearest", "attention", "hidden", "norm", "logits"] as const;

const TEXTS: Check = listOf(TEXT, "a list of non-empty strings");
const number = (expected: string, accepts: (value: number) => boolean): Check => [
  expected,
  (value) => typeof value === "number" && accepts(value),
];
const BIAS: Check = [
  `an object from ids of tokens to finite numbers, at most ${MOST_IDS}`,
  (value) =>
    isRecord(value) &&
    Object.keys(value).length <= MOST_IDS &&
    Object.entries(value).every(([id, added]) => /^\d{1,10}$/.test(id) && Number.isFinite(added)),
];

const GENERATOR_CHECKS: Checks<GeneratorOptions> = {
  model: TEXT,
  weights: TEXT,
  sha256: SHA256,
  device: DEVICE,
  workers: WORKERS,
  threads: THREADS,
  python: TEXT,
  env: TEXT,
  cacheDir: TEXT,
  offline: FLAG,
  mirror: TEXT,
  onProgress: FUNCTION,
  logger: LOGGER,
  queue: QUEUE,
  supervision: SUPERVISION,
  signal: SIGNAL,
};

const GENERATE_CHECKS: Checks<GenerateOptions> = {
  maxTokens: whole(1, MAX_COUNT),
  temperature: number("a number from 0", (value) => value >= 0 && Number.isFinite(value)),
  topK: whole(0, MAX_COUNT),
  topP: number("a number above 0, at most 1", (value) => value > 0 && value <= 1),
  minP: number("a number from 0 to 1", (value) => value >= 0 && value <= 1),
  repetitionPenalty: number("a number above 0", (value) => value > 0 && Number.isFinite(value)),
  logitBias: BIAS,
  seed: whole(0, MAX_COUNT),
  stop: either(TEXT, TEXTS),
  stopIds: [
    `a list of at most ${MOST_IDS} ids of tokens`,
    (value) => Array.isArray(value) && value.length <= MOST_IDS && value.every(whole(0, MAX_COUNT)[1]),
  ],
  candidates: whole(0, MOST_CANDIDATES),
  signal: SIGNAL,
  timeoutMs: WHOLE,
};

const INSPECT_CHECKS: Checks<InspectOptions> = {
  include: flags(...INSPECTED),
  signal: SIGNAL,
  timeoutMs: WHOLE,
};
