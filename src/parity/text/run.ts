/** A run over texts: the generator on one side, the reference on the other, prompt after prompt. */
import { shippedFile } from "../../checkpoints/text/table.ts";
import type { Integrity } from "../../checkpoints/integrity.ts";
import type { GeneratorInfo } from "../../generation/info.ts";
import type { GeneratorOptions } from "../../generation/options.ts";
import { resolveAgainst } from "../against.ts";
import type { Against } from "../against.ts";
import type { Tolerance } from "../compare/closeness.ts";
import { countVerdicts, firstsOf, stageTotals } from "../report/summary.ts";
import type { Counts, StageTotals, Totals } from "../report/summary.ts";
import { ourSide } from "../run.ts";
import type { Side } from "../run.ts";
import { TextClimb } from "./ladder.ts";
import type { TextLadder } from "./ladder.ts";
import { OurTexts } from "./ours.ts";
import { checkPublished } from "./published.ts";
import type { PublishedCheck } from "./published.ts";
import { TextReference } from "./reference.ts";
import type { TextReferenceInfo, TextReferenceName } from "./reference.ts";
import { TEXT_STAGES, kindOf } from "./stages.ts";
import type { TextStage, TextStageKind, Way } from "./stages.ts";

export interface TextParityOptions {
  readonly generator?: GeneratorOptions;
  /** @default "plain" */
  readonly reference?: TextReferenceName;
  /** Whose Python it runs in. @default "plain" */
  readonly against?: Against;
  readonly ways: readonly Way[];
  /** @default not by one bit */
  readonly tolerance?: Tolerance | undefined;
  readonly signal?: AbortSignal;
}

/** One prompt: what it came to, and what our side wrote. */
export interface TextReport extends TextLadder {
  readonly input: string;
  /** Tokens of the prompt; null where our side refused it. */
  readonly tokens: number | null;
  readonly answers: readonly {
    readonly name: string;
    readonly ids: readonly number[];
    readonly text: string;
  }[];
}

export interface TextSummary extends Pick<Totals, "firstDivergences"> {
  readonly passed: boolean;
  readonly prompts: number;
  readonly verdicts: Counts;
  readonly stages: Readonly<Record<TextStageKind, StageTotals>>;
}

/** Whose network both sides ran. */
export interface TextWeights extends Pick<GeneratorInfo, "model" | "reference" | "headRows"> {
  readonly name: string;
  readonly sha256: string;
  readonly integrity: Integrity;
  /** False: its texts mean nothing. */
  readonly trained: boolean | null;
  readonly remarks: readonly string[];
}

export interface TextReferenceSide extends Side {
  readonly tokens: string;
  readonly computes: TextReferenceInfo["computes"];
}

const NAMES: Readonly<Record<TextReferenceName, string>> = {
  plain: "plain PyTorch",
  transformers: "transformers",
};

/** Both sides, started. */
export class TextParity implements AsyncDisposable {
  readonly ours: Side;
  readonly reference: TextReferenceSide;
  readonly weights: TextWeights;
  readonly #ours: OurTexts;
  readonly #theirs: TextReference;
  readonly #options: TextParityOptions;

  /** @throws IsotorchError whatever keeps one of the sides from starting. */
  static async start(options: TextParityOptions): Promise<TextParity> {
    const { generator, reference = "plain", against = "plain", signal } = options;
    const ours = await OurTexts.start({ ...generator, ...(signal && { signal }) });
    try {
      const info = ours.generator.info();
      const { python, variables } = await resolveAgainst(against, info, signal);
      const { path, config, tokenizer } = ours.checkpoint;
      const theirs = await TextReference.start({
        reference,
        python,
        checkpoint: path,
        config,
        vocabulary: tokenizer ?? shippedFile("vocab.bpe"),
        sha256: info.weights.sha256,
        threads: info.threads,
        ...(variables && { variables }),
        ...(signal && { signal }),
      });
      return new TextParity(ours, theirs, options);
    } catch (error) {
      await ours.close();
      throw error;
    }
  }

  private constructor(ours: OurTexts, theirs: TextReference, options: TextParityOptions) {
    this.#ours = ours;
    this.#theirs = theirs;
    this.#options = options;
    const info = ours.generator.info();
    this.ours = ourSide(info);
    const { versions, threads, tokens, computes } = theirs.info;
    const name = `${NAMES[options.reference ?? "plain"]} (${options.against ?? "plain"})`;
    this.reference = { name, versions, device: "cpu", threads, tokens, computes };
    const { model, reference, headRows, weights } = info;
    // Its path is this machine's own affair.
    const { path: _, ...known } = weights;
    this.weights = { model, ...known, reference, headRows };
  }

  /** One prompt through both sides. @throws IsotorchError for what is not the prompt's fault. */
  async compare(input: string): Promise<TextReport> {
    const { ways, tolerance, signal } = this.#options;
    const { tokenizer } = this.#ours.generator;
    const ours = await this.#ours.trace(input, ways, signal);
    const climb = new TextClimb(ours, { tolerance, textOf: (id) => textOf(tokenizer, id) });
    const endOfText = tokenizer.specialTokens["<|endoftext|>"];
    const asked = {
      prompt: input,
      ids: ours.kind === "traced" ? ours.ids : undefined,
      ways,
      stopIds: endOfText === undefined ? [] : [endOfText],
    };
    // One side after the other: side by side they would fight for the cores that the network's threads want.
    const refusal = await this.#theirs.trace(asked, climb);
    const answers = ours.kind === "traced" ? ours.answers : [];
    return {
      input,
      tokens: ours.kind === "traced" ? ours.ids.length : null,
      ...climb.ladder(refusal),
      answers: answers.map(({ way, ids, text }) => ({ name: way.name, ids, text })),
    };
  }

  /** What others published of these weights, if anything. */
  published(): Promise<PublishedCheck> {
    return checkPublished(this.#ours.generator, this.#options.signal);
  }

  async close(): Promise<void> {
    await Promise.all([this.#ours.close(), this.#theirs.close()]);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** Adds up. Pure. */
export function summariseTexts(texts: readonly TextReport[], published?: PublishedCheck): TextSummary {
  const verdicts = countVerdicts(texts);
  const seen = new Set<TextStage>(texts.flatMap(({ rungs }) => rungs.map(({ stage }) => stage)));
  return {
    passed: verdicts.diverged === 0 && !(published?.checked === true && !published.equal),
    prompts: texts.length,
    verdicts,
    stages: stageTotals(TEXT_STAGES, texts, kindOf),
    firstDivergences: firstsOf(new Set<TextStage>(["tokens", ...seen]), texts),
  };
}

/** A token as text, also one that the vocabulary does not have. */
function textOf(tokenizer: { textOf(id: number): string }, id: number): string {
  try {
    return tokenizer.textOf(id);
  } catch {
    return "";
  }
}
