/** The rungs of the ladder for texts, and what our side leaves on each of them. */
import type { StageArray } from "../compare/array.ts";
import type { Refusal } from "../stages.ts";

/**
 * A text's way, in its order: its tokens, one pass over them, and then for each answer its logits step by step, its tokens and its
 * text. A stage that differs explains every later one.
 */
export const TEXT_STAGES = [
  "tokens",
  "tokenEmbeddings",
  "positionEmbeddings",
  "attention",
  "hidden",
  "norm",
  "logits",
  "steps",
  "ids",
  "text",
] as const;
export type TextStageKind = (typeof TEXT_STAGES)[number];

/** A stage, with its layer or its answer behind a point where there are several: `attention.3`, `steps.greedy`, `ids.seed-7`. */
export type TextStage = TextStageKind | `${TextStageKind}.${string}`;

export function kindOf(stage: TextStage): TextStageKind {
  return stage.split(".", 1)[0] as TextStageKind;
}

/** One way of answering, by its name: `greedy`, or `seed-7`. */
export interface Way {
  readonly name: string;
  readonly maxTokens: number;
  readonly temperature: number;
  readonly topK: number;
  readonly topP: number;
  readonly seed: number;
}

/** What our side wrote by one way. */
export interface OurAnswer {
  readonly way: Way;
  /** [tokens, vocabulary], by which each token was chosen. */
  readonly steps: StageArray;
  /** Of the new tokens; one that ended the text is the last. */
  readonly ids: readonly number[];
  /** As whoever reads the stream gets it. */
  readonly text: string;
}

/** What our side made of one prompt. */
export interface OurText {
  readonly kind: "traced";
  readonly ids: readonly number[];
  /** By stage, of one pass over the prompt, in their order. */
  readonly pass: ReadonlyMap<TextStage, StageArray>;
  readonly answers: readonly OurAnswer[];
}

/** What the reference tells as it computes, in the order of the stages. */
export interface TheirStages {
  stage(stage: TextStage, array: StageArray): void;
  skipped(stage: TextStage, why: string): void;
  answer(name: string, answer: TheirAnswer): void;
}

/** What the reference wrote by one way. */
export interface TheirAnswer {
  readonly steps: StageArray;
  readonly ids: readonly number[];
  /** Absent where it has no vocabulary. */
  readonly text?: string;
}

export type OurTextOrRefusal = OurText | Refusal;
