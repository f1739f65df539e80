/** The whole path from a prompt to its continuation; it is joined here and nowhere else. */
import type { Backend, Health, Phase, WorkerStats } from "../backend.ts";
import { AcceptedCalls, DRAIN_MS } from "../base/async/accepted.ts";
import { guarded, guardedCall } from "../base/callbacks.ts";
import { IsotorchError, abortError } from "../base/errors.ts";
import { check } from "../base/options/check.ts";
import { DRAIN } from "../base/options/check.ts";
import { shownValue } from "../base/text/shown.ts";
import { Limits } from "../base/time/limits.ts";
import type { TextCheckpoint } from "../checkpoints/text/resolve.ts";
import { Tokenizer } from "../text/tokenizer.ts";
import type { GeneratorInfo } from "./info.ts";
import { type Inspection, joined } from "./inspection.ts";
import type { GenerateOptions, GeneratorOptions, InspectOptions } from "./options.ts";
import { inspectedOf, resolveGenerateOptions, resolveGeneratorOptions } from "./resolved.ts";
import { type StartedGenerator, startGenerator } from "./start.ts";
import { type FinishReason, type TextStream, type Token, WorkerTextStream, overdue } from "./stream.ts";

/** A text, or the ids of its tokens. */
export type Prompt = string | readonly number[];

/** A whole answer. */
export interface GeneratedText {
  /** What continues the prompt. */
  readonly text: string;
  /** The ids of its tokens, without the one that ended it. */
  readonly ids: readonly number[];
  /** With which the same answer can be had again, in the same environment and with as many threads. */
  readonly seed: number;
  readonly finishReason: FinishReason;
  readonly tokens: readonly Token[];
  /** Tokens of the prompt. */
  readonly promptTokens: number;
  /** As {@link TextStream.timings}. */
  readonly timings: Readonly<Record<string, number>> | undefined;
}

/** A network that continues texts, in a supervised worker, behind an async API. Every call settles exactly once. */
export interface TextGenerator extends AsyncDisposable {
  /** Splits texts into the network's tokens. */
  readonly tokenizer: Tokenizer;
  /**
   * Continues a prompt, and answers when the text is complete.
   *
   * @throws IsotorchError `CONTEXT_LENGTH`, `INVALID_INPUT` for an empty prompt, `INVALID_OPTION`, `ABORTED`, `DEADLINE_EXCEEDED`.
   */
  generate(prompt: Prompt, options?: GenerateOptions): Promise<GeneratedText>;
  /**
   * Continues a prompt, token by token as they come. A worker's death in the middle costs time and nothing else: another one
   * makes the text again from its seed, and it goes on where it was.
   *
   * @throws IsotorchError as `generate`; while it is read, `NOT_REPRODUCIBLE` where another worker makes other tokens.
   */
  stream(prompt: Prompt, options?: GenerateOptions): TextStream;
  /** What the network makes of a text on its way through it. */
  inspect(prompt: Prompt, options: InspectOptions): Promise<Inspection>;
  /** Versions, device, threads, weights with their hash, the reference of the bits: what was chosen. */
  info(): GeneratorInfo;
  /** Where the worker is in its life. */
  health(): Health;
  /** Counts since the start. */
  stats(): WorkerStats;
  /** Hears of every change of `health().phase`. @returns what ends the listening. */
  on(event: "state", listener: (phase: Phase) => void): () => void;
  /**
   * Accepts no more calls, lets those that were accepted finish, stops the worker, leaves nothing behind. Idempotent.
   *
   * @param options.drainMs milliseconds until the calls that are left fail with `CLOSED`; `Infinity` waits for all. @default 30000
   */
  close(options?: { readonly drainMs?: number }): Promise<void>;
}

/**
 * Starts a worker with a network that continues texts.
 *
 * @returns a generator that is ready: network loaded, checkpoint verified, warmed up.
 * @throws IsotorchError with what is missing and how to mend it.
 * @example
 * await using generator = await createGenerator({ model: "tiny" });
 * const { text, seed } = await generator.generate("In the beginning");
 */
export async function createGenerator(options?: GeneratorOptions): Promise<TextGenerator> {
  const { generator } = await openGenerator(options);
  return generator;
}

/** A generator with the files that it was started from. */
export interface OpenedGenerator {
  readonly generator: TextGenerator;
  readonly checkpoint: TextCheckpoint;
}

/**
 * The same for whoever looks behind it.
 *
 * @param through what every call goes through on its way to the workers.
 */
export async function openGenerator(
  options?: GeneratorOptions,
  through: (pool: Backend) => Backend = (pool) => pool,
): Promise<OpenedGenerator> {
  const resolved = guarded(resolveGeneratorOptions(options));
  const listeners = new Set<(phase: Phase) => void>();
  const onPhase = (phase: Phase): void => {
    for (const listener of listeners)
      guardedCall('A listener of "state"', resolved.logger, () => listener(phase));
  };
  const started = await startGenerator(resolved, onPhase);
  try {
    const folder = started.checkpoint.tokenizer;
    const tokenizer = folder === null ? Tokenizer.gpt2() : await Tokenizer.load(folder);
    checkVocabulary(tokenizer, started.info());
    for (const remark of started.info().weights.remarks) resolved.logger?.warn(remark);
    const worker = { ...started, pool: through(started.pool) };
    return {
      generator: new BackendTextGenerator(worker, tokenizer, listeners),
      checkpoint: started.checkpoint,
    };
  } catch (error) {
    await started.pool.close(0);
    throw error;
  }
}

/** A generator over whatever makes the tokens. */
export class BackendTextGenerator implements TextGenerator {
  readonly tokenizer: Tokenizer;
  readonly #worker: Pick<StartedGenerator, "pool" | "info">;
  readonly #calls = new AcceptedCalls();
  readonly #listeners: Set<(phase: Phase) => void>;
  readonly #endOfText: number | undefined;

  constructor(
    worker: Pick<StartedGenerator, "pool" | "info">,
    tokenizer: Tokenizer,
    listeners: Set<(phase: Phase) => void>,
  ) {
    this.#worker = worker;
    this.tokenizer = tokenizer;
    this.#listeners = listeners;
    this.#endOfText = tokenizer.specialTokens["<|endoftext|>"];
  }

  async generate(prompt: Prompt, options?: GenerateOptions): Promise<GeneratedText> {
    const stream = this.stream(prompt, options);
    const tokens: Token[] = [];
    for await (const token of stream) tokens.push(token);
    return {
      text: tokens.map(({ text }) => text).join(""),
      ids: tokens.map(({ id }) => id),
      seed: stream.seed,
      finishReason: stream.finishReason ?? "length",
      tokens,
      promptTokens: stream.promptTokens,
      timings: stream.timings,
    };
  }

  stream(prompt: Prompt, options?: GenerateOptions): TextStream {
    const info = this.info();
    const call = resolveGenerateOptions(options, info.timeoutMs);
    const ids = this.#idsOf(prompt, info);
    checkContext(info, ids.length, call.maxTokens);
    checkIds(info, "stopIds", call.stopIds);
    checkIds(info, "logitBias", [...call.bias.keys()]);
    const source = {
      pool: this.#worker.pool,
      tokenizer: this.tokenizer,
      calls: this.#calls,
      prompt: ids,
      endOfText: this.#endOfText,
    };
    return new WorkerTextStream(source, call);
  }

  async inspect(prompt: Prompt, options: InspectOptions): Promise<Inspection> {
    const include = inspectedOf(options);
    const info = this.info();
    const ids = this.#idsOf(prompt, info);
    checkContext(info, ids.length, 0);
    const tokens = ids.map((id) => this.tokenizer.textOf(id));
    const { signal, timeoutMs = info.timeoutMs } = options;
    const { abandoned } = this.#calls;
    const limits = new Limits({ signal, abandoned, timeoutMs, overdue });
    try {
      return await this.#calls.accept(async () => {
        const input = { prompt: ids, include };
        const stages = this.#worker.pool.run("inspect", input, { signal: limits.signal });
        return { tokens, ids, ...(await joined(stages, this.tokenizer, () => limits.progress())) };
      });
    } catch (error) {
      throw limits.signal.aborted ? abortError(limits.signal) : error;
    } finally {
      limits.release();
    }
  }

  info(): GeneratorInfo {
    return this.#worker.info();
  }

  health(): Health {
    return this.#worker.pool.health();
  }

  stats(): WorkerStats {
    return this.#worker.pool.stats();
  }

  on(_event: "state", listener: (phase: Phase) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async close({ drainMs = DRAIN_MS }: { readonly drainMs?: number } = {}): Promise<void> {
    check({ drainMs }, { drainMs: DRAIN });
    await this.#calls.drain(drainMs);
    await this.#worker.pool.close(0);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #idsOf(prompt: Prompt, { vocabulary }: GeneratorInfo): readonly number[] {
    const ids = typeof prompt === "string" ? this.tokenizer.encode(prompt) : prompt;
    if (!Array.isArray(ids))
      throw new IsotorchError(
        "INVALID_INPUT",
        `The prompt is ${shownValue(prompt, 80)}, expected a text or ids of tokens.`,
        {
          hint: "Give a string, or what `tokenizer.encode` makes of one.",
        },
      );
    if (ids.length === 0)
      throw new IsotorchError("INVALID_INPUT", "The prompt is empty.", {
        hint: "A network continues what is there: give it one token at least.",
      });
    const wrong: unknown = ids.find((id) => !Number.isSafeInteger(id) || id < 0 || id >= vocabulary);
    if (wrong === undefined) return ids;
    throw new IsotorchError(
      "INVALID_INPUT",
      `The prompt has the token ${shownValue(wrong, 80)}, and ids go from 0 to ${vocabulary - 1}.`,
      { hint: "Encode it with this generator's `tokenizer`." },
    );
  }
}

/** @throws IsotorchError `CONTEXT_LENGTH` */
function checkContext({ context }: GeneratorInfo, prompt: number, maxTokens: number): void {
  if (prompt + maxTokens <= context) return;
  const wanted = maxTokens === 0 ? "" : ` and \`maxTokens\` ${maxTokens}`;
  throw new IsotorchError(
    "CONTEXT_LENGTH",
    `The prompt has ${prompt} tokens${wanted}, and the network looks at ${context}.`,
  );
}

/** @throws IsotorchError `INVALID_OPTION` */
function checkIds({ vocabulary }: GeneratorInfo, option: string, ids: readonly number[]): void {
  const wrong = ids.find((id) => id >= vocabulary);
  if (wrong === undefined) return;
  throw new IsotorchError(
    "INVALID_OPTION",
    `Option "${option}" has the token ${wrong}, and ids go from 0 to ${vocabulary - 1}.`,
  );
}

/** @throws IsotorchError `BAD_VOCABULARY` for a tokenizer of another network. */
function checkVocabulary({ vocabSize }: Tokenizer, { vocabulary }: GeneratorInfo): void {
  if (vocabSize === vocabulary) return;
  throw new IsotorchError(
    "BAD_VOCABULARY",
    `The tokenizer has ${vocabSize} tokens, and the network ${vocabulary}.`,
  );
}
