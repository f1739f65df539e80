/** What training and encoding can be told. */
import {
  FUNCTION,
  listOf,
  oneOf,
  TEXT,
  WHOLE,
  check,
  either,
  unexpected,
  whole,
} from "../base/options/check.ts";
import { didYouMean } from "../base/options/suggest.ts";
import { excerpt } from "../base/text/shown.ts";
import { eachPiece } from "./split.ts";
import type { TieRule } from "./train.ts";
import { MOST_TOKENS } from "./vocabulary.ts";

/** A merge that training has made: two tokens that stood beside each other became one. */
export interface TokenMerge {
  /** Which merge this is, from 1. */
  readonly step: number;
  /** The ids of the two tokens. */
  readonly pair: readonly [left: number, right: number];
  /** What the two are, as text; a byte that is part of a character as `<E7>`. */
  readonly texts: readonly [left: string, right: string];
  /** How often they stood beside each other. */
  readonly count: number;
  /** The id of the new token. */
  readonly id: number;
  /** What it is, as text. */
  readonly text: string;
}

/** Options of `Tokenizer.train()`. */
export interface TrainOptions {
  /** Tokens of the whole vocabulary: special tokens, 256 bytes, and what the merges make. @default 2048 */
  readonly vocabSize?: number;
  /** A pair that stands in the texts less often is not merged. @default 0 */
  readonly minFrequency?: number;
  /** Texts that are to be one token each, with the first ids. @default [] */
  readonly specialTokens?: readonly string[];
  /**
   * Which of equally frequent pairs goes first: `huggingface`, the one with the smaller ids, as HuggingFace's `BpeTrainer`;
   * `minbpe`, the one that stands first in the texts. @default "huggingface"
   */
  readonly rule?: TieRule;
  /** Called with each merge. */
  readonly onMerge?: (merge: TokenMerge) => void;
}

/** Options of `encode()` and `pieces()`. */
export interface EncodeOptions {
  /**
   * Special tokens that are one token where they stand in the text: their names, or `"all"`. All others are ordinary text,
   * so that nobody's input can have one in it. @default []
   */
  readonly allowedSpecial?: "all" | readonly string[];
}

const BYTES = 256;

const NAMES = listOf(TEXT, "a list of non-empty strings");
const TRAIN = {
  vocabSize: whole(BYTES, MOST_TOKENS),
  minFrequency: WHOLE,
  specialTokens: NAMES,
  rule: oneOf("huggingface", "minbpe"),
  onMerge: FUNCTION,
};
const ENCODE = { allowedSpecial: either(oneOf("all"), NAMES) };

/** @throws IsotorchError `INVALID_OPTION`. */
export function checkTraining(options: TrainOptions): Required<Omit<TrainOptions, "onMerge">> {
  check(options, TRAIN);
  const { vocabSize = 2048, minFrequency = 0, specialTokens = [], rule = "huggingface" } = options;
  const least = BYTES + specialTokens.length;
  if (vocabSize < least)
    throw unexpected(
      'Option "vocabSize" is',
      vocabSize,
      `at least ${least}: 256 bytes and the special tokens`,
    );
  for (const [at, token] of specialTokens.entries()) {
    if (specialTokens.indexOf(token) !== at)
      throw unexpected('Option "specialTokens" has', token, "each one once");
    if (piecesIn(token) < 2)
      throw unexpected(
        'Option "specialTokens" has',
        token,
        "what is no ordinary word, such as <|endoftext|>",
      );
  }
  return { vocabSize, minFrequency, specialTokens, rule };
}

/** A piece may become a token by merges. */
function piecesIn(text: string): number {
  let pieces = 0;
  eachPiece(text, () => (pieces += 1));
  return pieces;
}

/** The special tokens that are allowed, with their ids. @throws IsotorchError `INVALID_OPTION`, suggesting a known one. */
export function allowedOf(
  options: EncodeOptions,
  special: ReadonlyMap<string, number>,
): ReadonlyMap<string, number> {
  check(options, ENCODE);
  const { allowedSpecial = [] } = options;
  if (allowedSpecial === "all") return special;
  return new Map(
    allowedSpecial.map((token) => {
      const id = special.get(token);
      if (id !== undefined) return [token, id];
      const known = [...special.keys()];
      const meant =
        didYouMean(token, known) ?? (known.length > 0 ? `It has ${excerpt(known.join(", "))}` : undefined);
      throw unexpected('Option "allowedSpecial" has', token, "special tokens of the vocabulary", meant);
    }),
  );
}
