/** Answers in OpenAI's form: whole, or as the chunks of a stream. */
import type { FinishReason, Token } from "../../generation/stream.ts";

/** What all chunks of an answer have in common. */
export interface Head {
  readonly id: string;
  readonly object: "text_completion";
  /** Seconds since 1970. */
  readonly created: number;
  readonly model: string;
}

export interface Choice {
  readonly text: string;
  readonly index: number;
  readonly logprobs: Logprobs | null;
  readonly finish_reason: FinishReason | null;
  /** Ours: with which the same text can be had again. */
  readonly seed: number;
}

/** Of the tokens of a choice, by their places. */
interface Logprobs {
  readonly tokens: readonly string[];
  readonly token_logprobs: readonly number[];
  readonly top_logprobs: readonly Readonly<Record<string, number>>[];
  /** Where each token's text begins, in UTF-16 units. */
  readonly text_offset: readonly number[];
}

export interface Usage {
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
  readonly total_tokens: number;
}

/** @param offset where the text of the first token begins. */
export function logprobsOf(tokens: readonly Token[], offset: number): Logprobs {
  let end = offset;
  const offsets = tokens.map(({ text }) => {
    const start = end;
    end += text.length;
    return start;
  });
  return {
    tokens: tokens.map(({ text }) => text),
    token_logprobs: tokens.map(({ logprob }) => logprob),
    top_logprobs: tokens.map(({ candidates = [] }) =>
      Object.fromEntries(candidates.map(({ text, logprob }) => [text, logprob])),
    ),
    text_offset: offsets,
  };
}

export function usageOf(prompt: number, completion: number): Usage {
  return { prompt_tokens: prompt, completion_tokens: completion, total_tokens: prompt + completion };
}
