/** A generator for the tests of an application: no Python, no checkpoint. All of it is real but for what makes the tokens. */
import { setTimeout as delay } from "node:timers/promises";
import type { Backend, Health, Phase, RunOptions, WorkerStats } from "../backend.ts";
import { written } from "../base/async/written.ts";
import { guardedCall } from "../base/callbacks.ts";
import { IsotorchError, abortError } from "../base/errors.ts";
import { type Checks, FUNCTION, check } from "../base/options/check.ts";
import { BackendTextGenerator, type TextGenerator } from "../generation/generator.ts";
import type { GeneratorInfo } from "../generation/info.ts";
import type { GeneratedPart, ToGenerate } from "../tasks/generate.ts";
import type { Inspected } from "../protocol/messages.ts";
import type { InspectedStage, ToInspect } from "../tasks/inspect.ts";
import type { InputOf, PartOf, TaskName } from "../tasks/registry.ts";
import { Tokenizer } from "../text/tokenizer.ts";
import { fakeMachine } from "./info.ts";

/** What a made-up answer is told: what the call asks for, its defaults filled in. */
export type FakeCall = Pick<
  ToGenerate,
  "maxTokens" | "temperature" | "topK" | "topP" | "minP" | "repetitionPenalty" | "seed"
>;

/** What continues a prompt. */
export type FakeText = (prompt: string, call: FakeCall) => string | Promise<string>;

export interface FakeGeneratorOptions {
  /** Milliseconds that each token takes. @default 0 */
  readonly latencyMs?: number;
  /** The error that a call ends with, or undefined for an answer. */
  readonly failWith?: (prompt: string, call: FakeCall) => IsotorchError | undefined;
  /** Splits prompts and answers. @default GPT-2's */
  readonly tokenizer?: Tokenizer;
}

const CONTEXT = 1_024;
const [LAYERS, HEADS, WIDTH] = [2, 2, 4];

/**
 * A generator whose texts are made up. It checks its calls, splits texts into tokens, hears stop texts and deadlines and closes as
 * the real one, whose code it is but for the network, and says in `info()` that it is a fake. Every token has the `logprob` 0; a
 * candidate is the token itself; `inspect` gives zeros, and attention that looks at all tokens alike.
 *
 * @param answer what continues a prompt; it is cut at `maxTokens`.
 * @throws IsotorchError `INVALID_OPTION`
 * @example
 * import { createFakeGenerator } from "isotorch/testing";
 *
 * const generator = await createFakeGenerator(() => " was found in a field");
 */
export async function createFakeGenerator(
  answer: FakeText,
  options: FakeGeneratorOptions = {},
): Promise<TextGenerator> {
  check({ answer }, { answer: FUNCTION });
  check(options, CHECKS);
  const { tokenizer = Tokenizer.gpt2() } = options;
  const listeners = new Set<(phase: Phase) => void>();
  const pool = new FakeTexts(answer, { ...options, tokenizer }, listeners);
  return new BackendTextGenerator({ pool, info: () => infoOf(tokenizer) }, tokenizer, listeners);
}

class FakeTexts implements Backend {
  readonly tasks: readonly TaskName[] = ["generate", "inspect"];
  readonly prefetch = 1;
  readonly #answer: FakeText;
  readonly #options: FakeGeneratorOptions & { readonly tokenizer: Tokenizer };
  readonly #listeners: ReadonlySet<(phase: Phase) => void>;
  #open = 0;
  #phase: Phase = "ready";
  #counts = { submitted: 0, succeeded: 0, failed: 0 };

  constructor(
    answer: FakeText,
    options: FakeGeneratorOptions & { readonly tokenizer: Tokenizer },
    listeners: ReadonlySet<(phase: Phase) => void>,
  ) {
    this.#answer = answer;
    this.#options = options;
    this.#listeners = listeners;
  }

  run<N extends TaskName>(
    _task: N,
    input: InputOf<N>,
    { signal }: RunOptions = {},
  ): AsyncGenerator<PartOf<N>, void, undefined> {
    // What a generator asks for, and nothing else does.
    const given = input as ToGenerate | ToInspect;
    const parts = written<GeneratedPart | InspectedStage>(
      (write, ended) =>
        this.#counted(() =>
          "maxTokens" in given ? this.#generate(given, write, ended) : inspected(given, write),
        ),
      signal,
    );
    return parts;
  }

  health(): Health {
    const health = {
      phase: this.#phase,
      ready: this.#phase === "ready" || this.#phase === "busy",
      starts: 1,
      recentExits: 0,
      silentMs: 0,
      pid: undefined,
      waiting: 0,
      inFlight: this.#open,
      lastFailure: undefined,
    };
    return { ...health, workers: [health] };
  }

  stats(): WorkerStats {
    return { ...this.#counts, starts: 1, redelivered: 0, dropped: 0, batches: 0 };
  }

  close(): Promise<void> {
    this.#enter("stopped");
    return Promise.resolve();
  }

  async #generate(
    input: ToGenerate,
    write: (part: GeneratedPart) => void,
    signal: AbortSignal,
  ): Promise<void> {
    const { tokenizer, failWith, latencyMs = 0 } = this.#options;
    const prompt = tokenizer.decode(input.prompt);
    const failure = failWith?.(prompt, input);
    if (failure !== undefined) throw failure;
    const text: unknown = await this.#answer(prompt, input);
    if (typeof text !== "string")
      throw new IsotorchError("INVALID_INPUT", "The function of answers gave something that is no text.", {
        hint: "Return a string from the first argument of `createFakeGenerator`.",
      });
    for (const id of tokenizer.encode(text).slice(0, input.maxTokens)) {
      if (latencyMs > 0) await delay(latencyMs, undefined, { signal }).catch(() => undefined);
      if (signal.aborted) throw abortError(signal);
      const candidates = input.candidates > 0 ? [{ id, logprob: 0 }] : [];
      write({ token: { id, logprob: 0, candidates } });
    }
    write({ timings: {} });
  }

  async #counted(work: () => Promise<void>): Promise<void> {
    this.#counts.submitted += 1;
    this.#open += 1;
    this.#enter("busy");
    try {
      await work();
      this.#counts.succeeded += 1;
    } catch (error) {
      this.#counts.failed += 1;
      throw error;
    } finally {
      this.#open -= 1;
      if (this.#open === 0) this.#enter("ready");
    }
  }

  #enter(phase: Phase): void {
    // A closed one is never ready again.
    if (phase === this.#phase || this.#phase === "stopped") return;
    this.#phase = phase;
    for (const listener of this.#listeners)
      guardedCall('A listener of "state"', undefined, () => listener(phase));
  }
}

function inspected({ prompt, include }: ToInspect, write: (stage: InspectedStage) => void): Promise<void> {
  const count = prompt.length;
  const zeros = (...shape: number[]) => ({
    data: new Float32Array(shape.reduce((product, length) => product * length, 1)),
    shape,
  });
  const rows = () => zeros(count, WIDTH);
  const has = (name: Inspected): boolean => include.includes(name);
  write({
    arrays: has("embeddings") ? { tokenEmbeddings: rows(), positionEmbeddings: rows() } : {},
    ...(has("nearest") && { nearest: prompt.map(() => []) }),
  });
  for (let layer = 0; layer < LAYERS; layer += 1) {
    const attention = zeros(HEADS, count, count);
    attention.data.forEach((_, at) => {
      const [from, to] = [Math.floor(at / count) % count, at % count];
      attention.data[at] = to <= from ? 1 / (from + 1) : 0;
    });
    write({ arrays: { ...(has("attention") && { attention }), ...(has("hidden") && { hidden: rows() }) } });
  }
  write({ arrays: { ...(has("norm") && { norm: rows() }), ...(has("logits") && { logits: rows() }) } });
  return Promise.resolve();
}

function infoOf({ vocabSize }: Tokenizer): GeneratorInfo {
  return {
    ...fakeMachine("createFakeGenerator()", "a function"),
    model: "fake",
    weights: {
      name: "fake",
      path: "",
      sha256: "0".repeat(64),
      integrity: "unpinned",
      trained: false,
      remarks: [],
    },
    reference: "none: the texts are made up",
    headRows: "last",
    vocabulary: vocabSize,
    context: CONTEXT,
    layers: LAYERS,
    heads: HEADS,
    width: WIDTH,
    timeoutMs: 30_000,
  };
}

const CHECKS: Checks<FakeGeneratorOptions> = {
  latencyMs: ["milliseconds from 0", (value) => typeof value === "number" && value >= 0],
  failWith: FUNCTION,
  tokenizer: ["a Tokenizer", (value) => value instanceof Tokenizer],
};
