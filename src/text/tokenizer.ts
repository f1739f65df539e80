/** Text as the numbers that a language model reads, and back: byte pair encoding as GPT-2 does it. */
import { IsotorchError } from "../base/errors.ts";
import { isRecord } from "../base/files/json.ts";
import { shownValue } from "../base/text/shown.ts";
import { decoderOf, textDecoder } from "./decoder.ts";
import type { TokenDecoder } from "./decoder.ts";
import { readGpt2, readVocabularyFiles, writeVocabularyFiles } from "./files.ts";
import { isVocab, readMerges } from "./formats.ts";
import { allowedOf, checkTraining } from "./options.ts";
import type { EncodeOptions, TrainOptions } from "./options.ts";
import { partsOf } from "./special.ts";
import { eachPiece } from "./split.ts";
import { learn } from "./train.ts";
import { readTokenizerJson, tokenizerJson } from "./tokenizer-json.ts";
import { Vocabulary, bad, vocabularyOf } from "./vocabulary.ts";
import type { Written } from "./vocabulary.ts";
import { readable } from "./readable.ts";

/** A token of a text. */
export interface Piece {
  readonly id: number;
  /** The text that it completes: `""` where it ends inside of its first character. All of them, joined, are the text. */
  readonly text: string;
  /** Its bytes, which may be part of a character. */
  readonly bytes: Uint8Array;
  /** Where its text begins in the whole, in UTF-16 units as `slice` counts. */
  readonly start: number;
}

/** A vocabulary: its merges as the text of `merges.txt` or as pairs of tokens in GPT-2's letters, and what belongs to it. */
export interface VocabularyFiles {
  readonly merges: string | Written["merges"];
  /** The ids, as `vocab.json` has them. @default bytes in GPT-2's order, then what the merges make, then special tokens */
  readonly vocab?: Readonly<Record<string, number>>;
  /** Texts that are one token each, where they are allowed. @default none */
  readonly specialTokens?: readonly string[];
}

/** Pieces of which the tokens are kept, so that a word is merged once. */
const MOST_KEPT = 32_768;
/** Longer ones do not come again. */
const LONGEST_KEPT = 64;
/** With the flag, the halves of whole pairs do not match. */
const HALF = /\p{Cs}/u;

let gpt2: Tokenizer | undefined;

/**
 * Splits texts into tokens and joins tokens to texts. Encoding is tiktoken's and HuggingFace's for `gpt2`, training is HuggingFace's
 * `BpeTrainer`. No Python, and nothing of Node but for `gpt2`, `load` and `save`: it runs in browsers.
 *
 * @example
 * import { Tokenizer } from "isotorch/tokenizer";
 *
 * const tokenizer = Tokenizer.gpt2();
 * tokenizer.encode("The dog"); // [464, 3290]
 * tokenizer.decode([464, 3290]); // "The dog"
 */
export class Tokenizer {
  readonly #vocabulary: Vocabulary;
  readonly #kept = new Map<string, readonly number[]>();

  private constructor(vocabulary: Vocabulary) {
    this.#vocabulary = vocabulary;
  }

  /**
   * Makes a vocabulary of texts: the most frequent pair of neighbouring tokens becomes a token, again and again. No pair crosses
   * a piece of GPT-2's split, such as a word.
   *
   * @param texts one, or several; no pair crosses from one into the next.
   * @throws IsotorchError `INVALID_OPTION`, `INVALID_INPUT` for what is no text.
   */
  static train(texts: string | Iterable<string>, options: TrainOptions = {}): Tokenizer {
    const { vocabSize, minFrequency, specialTokens, rule } = checkTraining(options);
    const { onMerge } = options;
    const vocabulary = new Vocabulary();
    for (const token of specialTokens) vocabulary.addSpecial(token);
    vocabulary.addBytes();
    let step = 0;
    learn({
      words: wordsOf(texts, vocabulary),
      minFrequency,
      rule,
      onMerge: ({ pair, count }) => {
        if (vocabulary.size >= vocabSize) return undefined;
        const id = vocabulary.addMerge(...pair);
        step += 1;
        const shown = (token: number): string => readable(vocabulary.bytes[token] ?? new Uint8Array());
        onMerge?.({
          step,
          pair,
          texts: [shown(pair[0]), shown(pair[1])],
          count,
          id,
          text: shown(id),
        });
        return id;
      },
    });
    return new Tokenizer(vocabulary);
  }

  /** GPT-2's own: 50,257 tokens by OpenAI's merges, which the package has. Reads a file, so not in browsers. */
  static gpt2(): Tokenizer {
    return (gpt2 ??= new Tokenizer(vocabularyOf(readGpt2())));
  }

  /**
   * The tokenizer of a vocabulary that was read already, also in browsers.
   *
   * @param vocabulary the text of `merges.txt` (or OpenAI's `vocab.bpe`), its parts, or what `JSON.parse` makes of `tokenizer.json`.
   * @throws IsotorchError `BAD_VOCABULARY` for what does not fit together, or is done in another way than GPT-2 does it.
   */
  static from(vocabulary: string | VocabularyFiles | Readonly<Record<string, unknown>>): Tokenizer {
    return new Tokenizer(vocabularyOf(writtenOf(vocabulary)));
  }

  /**
   * Reads a vocabulary from a folder or a file: `tokenizer.json`; or `merges.txt` or `vocab.bpe`, with the `vocab.json` or
   * `encoder.json` beside it. Not in browsers.
   *
   * @throws IsotorchError `INPUT_NOT_FOUND`, `INPUT_UNREADABLE`, `BAD_VOCABULARY`.
   */
  static async load(path: string): Promise<Tokenizer> {
    return new Tokenizer(vocabularyOf(await readVocabularyFiles(path)));
  }

  /** Writes `vocab.json`, `merges.txt` and `tokenizer.json` into a folder, as HuggingFace reads them. Not in browsers. */
  async save(folder: string): Promise<void> {
    await writeVocabularyFiles(folder, this.#vocabulary);
  }

  /** What `tokenizer.json` has: `JSON.stringify(tokenizer)` is its text, and `Tokenizer.from(JSON.parse(text))` the same tokenizer. */
  toJSON(): Record<string, unknown> {
    return tokenizerJson(this.#vocabulary);
  }

  /** Tokens that there are: ids go from 0 to one less. */
  get vocabSize(): number {
    return this.#vocabulary.size;
  }

  /** The ids of special tokens by their texts, such as `<|endoftext|>`. */
  get specialTokens(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#vocabulary.special);
  }

  /** The pairs of ids that are merged, in their order. */
  get merges(): readonly (readonly [left: number, right: number])[] {
    const { merges } = this.#vocabulary;
    return Array.from({ length: merges.length }, (_, rank) => merges.pairAt(rank));
  }

  /**
   * The ids of a text. A special token that stands in it is ordinary text, unless it is allowed.
   *
   * @throws IsotorchError `INVALID_INPUT` for what is no text, such as half of a surrogate pair; `INVALID_OPTION`.
   */
  encode(text: string, options: EncodeOptions = {}): number[] {
    requireText(text);
    const special = allowedOf(options, this.#vocabulary.special);
    const ids: number[] = [];
    for (const { from, to, id } of partsOf(text, special)) {
      if (id === undefined) this.#encodeOrdinary(text.slice(from, to), ids);
      else ids.push(id);
    }
    return ids;
  }

  /**
   * The text of ids, special tokens with it. Bytes that are no UTF-8 become U+FFFD, as in Python's `decode(errors="replace")`.
   *
   * @throws IsotorchError `INVALID_INPUT` for an id that the vocabulary does not have.
   */
  decode(ids: Iterable<number>): string {
    if (!isIterable(ids)) throw notIterable("The list of ids", ids);
    const parts = Array.from(ids, (id) => this.#bytesOf(id));
    const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
    let at = 0;
    for (const part of parts) {
      bytes.set(part, at);
      at += part.length;
    }
    return textDecoder().decode(bytes);
  }

  /** Decodes tokens as they come. */
  decoder(): TokenDecoder {
    return decoderOf((id) => this.#bytesOf(id));
  }

  /** The tokens of a text one by one, with what each of them is. @throws IsotorchError as `encode` does. */
  pieces(text: string, options: EncodeOptions = {}): Piece[] {
    const decoder = this.decoder();
    let start = 0;
    return this.encode(text, options).map((id) => {
      const piece = { id, text: decoder.push(id), bytes: this.#bytesOf(id).slice(), start };
      start += piece.text.length;
      return piece;
    });
  }

  /**
   * What a token is, as text for people: a byte that is part of a character as `<E7>`.
   *
   * @throws IsotorchError `INVALID_INPUT` for an id that the vocabulary does not have.
   */
  textOf(id: number): string {
    return readable(this.#bytesOf(id));
  }

  #encodeOrdinary(text: string, ids: number[]): void {
    eachPiece(text, (from, to) => {
      const piece = text.slice(from, to);
      for (const id of this.#kept.get(piece) ?? this.#encodePiece(piece)) ids.push(id);
    });
  }

  #encodePiece(piece: string): readonly number[] {
    const { byteIds, merges } = this.#vocabulary;
    const bytes = new TextEncoder().encode(piece);
    const ids = merges.apply(Array.from(bytes, (byte) => byteIds[byte] ?? 0));
    if (piece.length > LONGEST_KEPT) return ids;
    if (this.#kept.size >= MOST_KEPT) this.#kept.clear();
    // A string of its own: a part of the text would keep all of the text.
    this.#kept.set(textDecoder().decode(bytes), ids);
    return ids;
  }

  #bytesOf(id: number): Uint8Array {
    const bytes = Number.isSafeInteger(id) ? this.#vocabulary.bytes[id] : undefined;
    if (bytes !== undefined) return bytes;
    const shown = typeof id === "number" ? String(id) : shownValue(id, 80);
    throw new IsotorchError(
      "INVALID_INPUT",
      `There is no token ${shown}: ids go from 0 to ${this.vocabSize - 1}.`,
      {
        hint: "Decode with the vocabulary that the ids are of.",
      },
    );
  }
}

function requireText(text: unknown): asserts text is string {
  if (typeof text !== "string")
    throw new IsotorchError("INVALID_INPUT", `The text is ${shownValue(text, 80)}, expected a string.`, {
      hint: "Give a string; of bytes make one with `new TextDecoder().decode(bytes)`.",
    });
  const half = text.search(HALF);
  if (half === -1) return;
  throw new IsotorchError("INVALID_INPUT", `The text has half of a surrogate pair at ${half}.`, {
    hint: "It is no character, and no model has read one: `text.toWellFormed()` puts U+FFFD in its place.",
  });
}

function isIterable(value: unknown): boolean {
  return typeof value === "object" && value !== null && Symbol.iterator in value;
}

function notIterable(what: string, value: unknown): IsotorchError {
  return new IsotorchError("INVALID_INPUT", `${what} is ${shownValue(value, 80)}, expected an array.`, {
    hint: "Give an array, or anything else that `for … of` goes through.",
  });
}

/** The pieces of the texts, each once, in the order in which they came first. */
function wordsOf(
  texts: string | Iterable<string>,
  { byteIds }: Vocabulary,
): { ids: number[]; count: number }[] {
  if (typeof texts !== "string" && !isIterable(texts)) throw notIterable("The list of texts", texts);
  const counts = new Map<string, number>();
  for (const text of typeof texts === "string" ? [texts] : texts) {
    requireText(text);
    eachPiece(text, (from, to) => {
      const piece = text.slice(from, to);
      counts.set(piece, (counts.get(piece) ?? 0) + 1);
    });
  }
  const encoder = new TextEncoder();
  return [...counts].map(([piece, count]) => ({
    ids: Array.from(encoder.encode(piece), (byte) => byteIds[byte] ?? 0),
    count,
  }));
}

function writtenOf(given: string | VocabularyFiles | Readonly<Record<string, unknown>>): Written {
  if (typeof given === "string") return { merges: readMerges(given) };
  if (isRecord(given) && "model" in given) return readTokenizerJson(given);
  const { merges, vocab, specialTokens = [] } = isRecord(given) ? given : {};
  const what = "expected the text of merges.txt, its parts, or a tokenizer.json";
  if (typeof merges !== "string" && !isPairs(merges))
    throw bad(`The vocabulary is ${shownValue(given, 80)}, ${what}.`);
  if (vocab !== undefined && !isVocab(vocab)) throw bad(`Its ids are ${shownValue(vocab, 80)}, ${what}.`);
  if (!isTexts(specialTokens))
    throw bad(`Its special tokens are ${shownValue(specialTokens, 80)}, expected a list of texts.`);
  return {
    merges: typeof merges === "string" ? readMerges(merges) : merges,
    ...(vocab !== undefined && { vocab }),
    specialTokens,
  };
}

function isPairs(value: unknown): value is Written["merges"] {
  return Array.isArray(value) && value.every((pair) => isTexts(pair) && pair.length === 2);
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((text) => typeof text === "string");
}
