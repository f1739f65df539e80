/** The body of `POST /v1/completions`: OpenAI's names, and three of ours besides. */
import { isRecord } from "../../base/files/json.ts";
import { unexpected } from "../../base/options/check.ts";
import type { Prompt } from "../../generation/generator.ts";
import type { GenerateOptions } from "../../generation/options.ts";
import { type Fields, fieldsOf, flag, text, whole } from "./fields.ts";

/** What one request asks for. */
export interface CompletionRequest {
  readonly model: string | undefined;
  readonly prompts: readonly Prompt[];
  readonly options: GenerateOptions;
  readonly stream: boolean;
  /** Whether a stream ends with a count of its tokens. */
  readonly includeUsage: boolean;
  /** Likeliest tokens beside each token; undefined where no log probabilities are wanted. */
  readonly logprobs: number | undefined;
}

/** OpenAI's default. */
const MAX_TOKENS = 16;
const MOST_PROMPTS = 32;
const MOST_LOGPROBS = 5;

/** @throws HttpProblem for a body that is no JSON object; IsotorchError `INVALID_OPTION` for what is not offered or not as it should be. */
export function completionOf(body: Buffer): CompletionRequest {
  const given = fieldsOf(body, KNOWN, Object.keys(ONLY));
  for (const [name, only] of Object.entries(ONLY)) {
    const value = given[name];
    if (value !== undefined && value !== null && value !== only)
      throw unexpected(`Field "${name}" is`, value, `${JSON.stringify(only)}, the one that is offered`);
  }
  const logprobs = whole(given, "logprobs", MOST_LOGPROBS);
  const streamed = given["stream_options"];
  return {
    model: text(given, "model"),
    prompts: promptsOf(given["prompt"]),
    stream: flag(given, "stream"),
    includeUsage: isRecord(streamed) && streamed["include_usage"] === true,
    logprobs,
    options: {
      maxTokens: MAX_TOKENS,
      ...named(given, OPTIONS),
      ...(logprobs !== undefined && { candidates: logprobs }),
    },
  };
}

/** Fields and the options that they are; the generator checks their values. */
const OPTIONS: Readonly<Record<string, keyof GenerateOptions>> = {
  max_tokens: "maxTokens",
  temperature: "temperature",
  top_p: "topP",
  stop: "stop",
  seed: "seed",
  logit_bias: "logitBias",
  top_k: "topK",
  min_p: "minP",
  repetition_penalty: "repetitionPenalty",
};
/** What OpenAI has and this server has not: the value that asks for nothing. */
const ONLY: Readonly<Record<string, unknown>> = {
  n: 1,
  best_of: 1,
  echo: false,
  suffix: null,
  presence_penalty: 0,
  frequency_penalty: 0,
};
/** `user` says who asks, which nobody here wants to know. */
const KNOWN: readonly string[] = [
  "model",
  "prompt",
  "stream",
  "stream_options",
  "logprobs",
  "user",
  ...Object.keys(OPTIONS),
];

/** A text, a list of ids, or a list of either. */
function promptsOf(given: unknown): readonly Prompt[] {
  if (typeof given === "string") return [given];
  if (isIds(given)) return [given];
  const isList = Array.isArray(given) && given.every((one) => typeof one === "string" || isIds(one));
  if (isList && given.length > 0 && given.length <= MOST_PROMPTS) return given;
  throw unexpected(
    'Field "prompt" is',
    given,
    `a text, ids of tokens, or a list of at most ${MOST_PROMPTS} of them`,
  );
}

/** Ids of tokens; which of them there are is the generator's to say. */
export function isIds(value: unknown): value is number[] {
  return Array.isArray(value) && value.length > 0 && value.every((id) => typeof id === "number");
}

/** A field that is null is one that is not there. */
function named(given: Fields, names: Readonly<Record<string, keyof GenerateOptions>>): GenerateOptions {
  const there = Object.entries(names).filter(([name]) => given[name] !== undefined && given[name] !== null);
  return Object.fromEntries(there.map(([name, option]) => [option, given[name]]));
}
