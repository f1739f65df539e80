/** The tokens of one answer as they come, with the text that each of them adds. */
import type { Backend } from "../backend.ts";
import type { AcceptedCalls } from "../base/async/accepted.ts";
import { IsotorchError, abortError } from "../base/errors.ts";
import { Limits } from "../base/time/limits.ts";
import type { GeneratedToken } from "../tasks/generate.ts";
import type { Tokenizer } from "../text/tokenizer.ts";
import type { ResolvedGenerateOptions } from "./options.ts";
import { GrowingText } from "./texts.ts";

/** A token of an answer. */
export interface Token {
  readonly id: number;
  /** What it adds to the text: `""` where it ends inside a character, or may belong to a stop text. */
  readonly text: string;
  /** Natural logarithm of its probability in the network's own distribution, at temperature 1 and unfiltered. */
  readonly logprob: number;
  /** The likeliest tokens at this step, best first, by the same distribution; where `candidates` asks for them. */
  readonly candidates?: readonly Candidate[];
}

export interface Candidate {
  readonly id: number;
  /** The token as text for people: a byte that is part of a character as `<E7>`. */
  readonly text: string;
  readonly logprob: number;
}

/** `stop`: a stop text or a stop token came; `length`: `maxTokens` are there. */
export type FinishReason = "stop" | "length";

/** An answer on its way. It begins when it is read, can be read once, and ends where it is left: `break` frees the worker. */
export interface TextStream extends AsyncIterableIterator<Token, void, undefined> {
  /** With which the same answer can be had again. */
  readonly seed: number;
  /** Tokens of the prompt. */
  readonly promptTokens: number;
  /** Why it ended; undefined before. */
  readonly finishReason: FinishReason | undefined;
  /**
   * Milliseconds in the worker: `queue` until it began, `prefill` for the prompt with the first token, `decode` for the others;
   * undefined before its end, and where it was ended here.
   */
  readonly timings: Readonly<Record<string, number>> | undefined;
}

export interface StreamSource {
  readonly pool: Backend;
  readonly tokenizer: Tokenizer;
  readonly calls: AcceptedCalls;
  readonly prompt: readonly number[];
  /** The tokenizer's own token for the end of a text. */
  readonly endOfText: number | undefined;
}

export class WorkerTextStream implements TextStream {
  readonly #tokens: AsyncGenerator<Token, void, undefined>;
  readonly seed: number;
  readonly promptTokens: number;
  #finishReason: FinishReason | undefined;
  #timings: Readonly<Record<string, number>> | undefined;

  constructor(source: StreamSource, options: ResolvedGenerateOptions) {
    this.seed = options.seed;
    this.promptTokens = source.prompt.length;
    this.#tokens = this.#read(source, options);
  }

  get finishReason(): FinishReason | undefined {
    return this.#finishReason;
  }

  get timings(): Readonly<Record<string, number>> | undefined {
    return this.#timings;
  }

  next(): Promise<IteratorResult<Token, void>> {
    return this.#tokens.next();
  }

  return(): Promise<IteratorResult<Token, void>> {
    return this.#tokens.return();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async *#read(source: StreamSource, options: ResolvedGenerateOptions): AsyncGenerator<Token, void> {
    const { calls } = source;
    const end = calls.open();
    const { signal, timeoutMs } = options;
    const limits = new Limits({ signal, abandoned: calls.abandoned, timeoutMs, overdue });
    // Also where nobody reads on: a close waits for open calls.
    limits.signal.addEventListener("abort", end, { once: true });
    try {
      yield* this.#texts(source, options, limits);
    } catch (error) {
      throw limits.signal.aborted ? abortError(limits.signal) : error;
    } finally {
      limits.release();
      end();
    }
  }

  async *#texts(
    { pool, prompt, tokenizer, endOfText }: StreamSource,
    options: ResolvedGenerateOptions,
    limits: Limits,
  ): AsyncGenerator<Token, void> {
    const { maxTokens, temperature, topK, topP, minP, repetitionPenalty, seed, candidates, bias } = options;
    const stopIds = new Set([...options.stopIds, ...(endOfText === undefined ? [] : [endOfText])]);
    const text = new GrowingText(tokenizer.decoder(), options.stop);
    const parts = pool.run(
      "generate",
      {
        prompt,
        maxTokens,
        temperature,
        topK,
        topP,
        minP,
        repetitionPenalty,
        seed,
        candidates,
        stopIds: [...stopIds],
        bias,
        logits: false,
      },
      { signal: limits.signal },
    );
    // Something of it is held back: where the answer ends here, the rest of the text belongs to it.
    let last: Token | undefined;
    for await (const { token, timings } of parts) {
      // Also where more has come already.
      if (limits.signal.aborted) throw abortError(limits.signal);
      if (token === undefined) {
        this.#timings = timings;
        break;
      }
      // Whoever goes on behind the end is stopped.
      if (this.#finishReason !== undefined) break;
      limits.pause();
      if (stopIds.has(token.id)) {
        // The worker ends here by itself.
        this.#finishReason = "stop";
        limits.progress();
        continue;
      }
      if (last !== undefined) yield last;
      last = undefined;
      const { text: added, stopped, holds } = text.push(token.id);
      const shown = tokenOf(token, added, tokenizer, candidates > 0);
      if (stopped) this.#finishReason = "stop";
      if (holds) last = shown;
      else yield shown;
      if (stopped) return;
      limits.progress();
    }
    const rest = text.end();
    this.#finishReason ??= "length";
    if (last !== undefined) yield { ...last, text: last.text + rest };
  }
}

function tokenOf(
  { id, logprob, candidates }: GeneratedToken,
  text: string,
  tokenizer: Tokenizer,
  hasCandidates: boolean,
): Token {
  if (!hasCandidates) return { id, text, logprob };
  const named = candidates.map((one) => ({
    id: one.id,
    text: tokenizer.textOf(one.id),
    logprob: one.logprob,
  }));
  return { id, text, logprob, candidates: named };
}

/** What a call ends with whose next token does not come. */
export function overdue(timeoutMs: number): IsotorchError {
  return new IsotorchError("DEADLINE_EXCEEDED", `No token within ${timeoutMs} ms.`, {
    hint: "Raise `timeoutMs`, or ask for fewer texts at a time.",
  });
}
