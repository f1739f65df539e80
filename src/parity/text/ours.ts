/** Our side of the ladder for texts: the real generator, and behind it what its worker answered for each token. */
import type { Backend, RunOptions } from "../../backend.ts";
import { IsotorchError } from "../../base/errors.ts";
import type { IsotorchErrorCode } from "../../base/errors.ts";
import type { TextCheckpoint } from "../../checkpoints/text/resolve.ts";
import { openGenerator } from "../../generation/generator.ts";
import type { TextGenerator } from "../../generation/generator.ts";
import type { Inspection } from "../../generation/inspection.ts";
import type { GeneratorOptions } from "../../generation/options.ts";
import type { GeneratedPart } from "../../tasks/generate.ts";
import type { StageArray as WireArray } from "../../tasks/inspect.ts";
import type { InputOf, PartOf, TaskName } from "../../tasks/registry.ts";
import type { StageArray } from "../compare/array.ts";
import type { OurAnswer, OurTextOrRefusal, TextStage, Way } from "./stages.ts";

/** Failures that are an answer about the prompt; every other one ends the run. */
const REFUSALS: ReadonlySet<IsotorchErrorCode> = new Set([
  "INVALID_INPUT",
  "CONTEXT_LENGTH",
  "POISON_INPUT",
  "NON_FINITE_OUTPUT",
]);

const ALL = { embeddings: true, attention: true, hidden: true, norm: true, logits: true } as const;

export class OurTexts {
  readonly generator: TextGenerator;
  readonly checkpoint: TextCheckpoint;
  readonly #seen: Overheard;

  static async start(options: GeneratorOptions): Promise<OurTexts> {
    let seen: Overheard | undefined;
    const opened = await openGenerator(options, (pool) => (seen = new Overheard(pool)));
    if (seen === undefined) throw new IsotorchError("WORKER_ERROR", "No call goes to the workers.");
    return new OurTexts(opened.generator, opened.checkpoint, seen);
  }

  private constructor(generator: TextGenerator, checkpoint: TextCheckpoint, seen: Overheard) {
    this.generator = generator;
    this.checkpoint = checkpoint;
    this.#seen = seen;
  }

  /** @throws IsotorchError for a failure that is not about the prompt. */
  async trace(prompt: string, ways: readonly Way[], signal?: AbortSignal): Promise<OurTextOrRefusal> {
    const abort = signal && { signal };
    try {
      const inspection = await this.generator.inspect(prompt, { include: ALL, ...abort });
      const answers: OurAnswer[] = [];
      for (const way of ways) {
        const { name: _, ...options } = way;
        this.#seen.clear();
        const { text } = await this.generator.generate(prompt, { ...options, ...abort });
        answers.push({ way, text, ...this.#seen.answer() });
      }
      return { kind: "traced", ids: inspection.ids, pass: passOf(inspection), answers };
    } catch (error) {
      if (!(error instanceof IsotorchError) || !REFUSALS.has(error.code)) throw error;
      return { kind: "refused", code: error.code, message: error.message };
    }
  }

  close(): Promise<void> {
    return this.generator.close();
  }
}

/** Has the logits of each token sent along, and keeps what the worker answers. */
class Overheard implements Backend {
  readonly prefetch: number;
  readonly tasks: readonly TaskName[];
  readonly #pool: Backend;
  #tokens: { readonly id: number; readonly logits: Float32Array }[] = [];

  constructor(pool: Backend) {
    this.#pool = pool;
    this.prefetch = pool.prefetch;
    this.tasks = pool.tasks;
  }

  async *run<N extends TaskName>(
    task: N,
    input: InputOf<N>,
    options?: RunOptions,
  ): AsyncGenerator<PartOf<N>, void, undefined> {
    const asked = task === "generate" ? { ...input, logits: true } : input;
    for await (const part of this.#pool.run(task, asked, options)) {
      const { token } = part as Partial<GeneratedPart>;
      if (token?.logits !== undefined) this.#tokens.push({ id: token.id, logits: token.logits });
      yield part;
    }
  }

  clear(): void {
    this.#tokens = [];
  }

  answer(): Pick<OurAnswer, "ids" | "steps"> {
    const width = this.#tokens[0]?.logits.length ?? 0;
    const data = new Float32Array(width * this.#tokens.length);
    for (const [at, { logits }] of this.#tokens.entries()) data.set(logits, at * width);
    return {
      ids: this.#tokens.map(({ id }) => id),
      steps: { dtype: "<f4", shape: [this.#tokens.length, width], data },
    };
  }

  health(): ReturnType<Backend["health"]> {
    return this.#pool.health();
  }

  stats(): ReturnType<Backend["stats"]> {
    return this.#pool.stats();
  }

  close(drainMs?: number): Promise<void> {
    return this.#pool.close(drainMs);
  }
}

/** The arrays of a whole inspection, those of layers one by one. */
function passOf({ attention, hidden, ...others }: Inspection): Map<TextStage, StageArray> {
  const { tokenEmbeddings, positionEmbeddings, norm, logits } = others;
  const stages = new Map<TextStage, StageArray>();
  const add = (stage: TextStage, array: WireArray | undefined): void => {
    if (array !== undefined) stages.set(stage, { dtype: "<f4", ...array });
  };
  add("tokenEmbeddings", tokenEmbeddings);
  add("positionEmbeddings", positionEmbeddings);
  for (let layer = 0; layer < (hidden?.shape[0] ?? 0); layer++) {
    add(`attention.${layer}`, attention && layerOf(attention, layer));
    add(`hidden.${layer}`, hidden && layerOf(hidden, layer));
  }
  add("norm", norm);
  add("logits", logits);
  return stages;
}

function layerOf({ data, shape: [layers = 1, ...shape] }: WireArray, layer: number): WireArray {
  const size = data.length / layers;
  return { data: data.subarray(layer * size, (layer + 1) * size), shape };
}
