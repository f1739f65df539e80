/** The body of `POST /v1/completions`: OpenAI's names, and three of ours besides. */
import { isRecord, parseJson } from "../../base/files/json.ts";
import { invalid, unexpected } from "../../base/options/check.ts";
import { didYouMean } from "../../base/options/suggest.ts";
import { excerpt } from "../../base/text/shown.ts";
import type { Prompt } from "../../generation/generator.ts";
import type { GenerateOptions } from "../../generation/options.ts";
import { HttpProblem } from "../problem.ts";

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
  const given = recordOf(body);
  for (const name of Object.keys(given)) {
    if (KNOWN.includes(name) || name in ONLY) continue;
    throw invalid(`There is no field "${excerpt(name)}".`, didYouMean(name, KNOWN));
  }
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

function recordOf(body: Buffer): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = parseJson(new TextDecoder("utf-8", { fatal: true }).decode(body));
  } catch (cause) {
    throw new HttpProblem("BAD_REQUEST", "The body is no JSON.", BODY, { cause });
  }
  if (isRecord(value)) return value;
  throw new HttpProblem("BAD_REQUEST", "The body is no JSON object.", BODY);
}

const BODY = 'Send an object such as {"prompt": "The dog", "max_tokens": 18}.';

/** A text, a list of ids, or a list of either. */
function promptsOf(given: unknown): readonly Prompt[] {
  if (typeof given === "string") return [given];
  const isIds = (value: unknown): value is number[] =>
    Array.isArray(value) && value.length > 0 && value.every((id) => typeof id === "number");
  if (isIds(given)) return [given];
  const isList = Array.isArray(given) && given.every((one) => typeof one === "string" || isIds(one));
  if (isList && given.length > 0 && given.length <= MOST_PROMPTS) return given;
  throw unexpected(
    'Field "prompt" is',
    given,
    `a text, ids of tokens, or a list of at most ${MOST_PROMPTS} of them`,
  );
}

/** A field that is null is one that is not there. */
function named(
  given: Readonly<Record<string, unknown>>,
  names: Readonly<Record<string, keyof GenerateOptions>>,
): GenerateOptions {
  const there = Object.entries(names).filter(([name]) => given[name] !== undefined && given[name] !== null);
  return Object.fromEntries(there.map(([name, option]) => [option, given[name]]));
}

function whole(given: Readonly<Record<string, unknown>>, name: string, most: number): number | undefined {
  const value = given[name] ?? undefined;
  if (value === undefined) return undefined;
  if (Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= most)
    return value as number;
  throw unexpected(`Field "${name}" is`, value, `a whole number from 0 to ${most}`);
}

function flag(given: Readonly<Record<string, unknown>>, name: string): boolean {
  const value = given[name] ?? false;
  if (typeof value === "boolean") return value;
  throw unexpected(`Field "${name}" is`, value, "true or false");
}

function text(given: Readonly<Record<string, unknown>>, name: string): string | undefined {
  const value = given[name] ?? undefined;
  if (value === undefined || typeof value === "string") return value;
  throw unexpected(`Field "${name}" is`, value, "a text");
}
