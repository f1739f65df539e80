/** Byte pair encoding: the most frequent pair of neighbours becomes a token, again and again, until there are enough. */
import { Heap } from "./heap.ts";
import { pairKey, pairOf } from "./merge.ts";

/**
 * Which of equally frequent pairs goes first: `huggingface` takes the one with the smaller ids, as `BpeTrainer` does;
 * `minbpe` the one that stands first in the texts.
 */
export type TieRule = "huggingface" | "minbpe";

/** A merge that training made. */
export interface LearntMerge {
  readonly pair: readonly [left: number, right: number];
  /** How often the pair stood in the texts. */
  readonly count: number;
}

/** What training goes by. */
export interface TrainingPlan {
  /** Pieces as the ids of their bytes, in the order in which they came first, with how often each came. */
  readonly words: readonly { readonly ids: readonly number[]; readonly count: number }[];
  /** Pairs that are less frequent are not merged. */
  readonly minFrequency: number;
  readonly rule: TieRule;
  /**
   * Takes the merge into the vocabulary.
   *
   * @returns the id of what it makes, or undefined for: no more.
   */
  readonly onMerge: (merge: LearntMerge) => number | undefined;
}

/** A pair that waits for its turn. Its count may have sunk since, and its first place may be gone. */
interface Waiting {
  readonly key: number;
  count: number;
  /** The smaller goes first: the pair itself, or where it stands first. */
  tie: number;
  /** Words that had the pair when it began to wait, ascending. */
  readonly words: readonly number[];
}

/** Above the bytes of every string: a word and a place in it are one number. */
const PLACE = 2 ** 31;

/** Merges until `onMerge` wants no more, or no pair is frequent enough. */
export function learn(plan: TrainingPlan): void {
  const texts = new Words(plan.words);
  const waiting = new Heap<Waiting>((one, other) =>
    one.count === other.count ? one.tie < other.tie : one.count > other.count,
  );
  const byPlace = plan.rule === "minbpe";
  const wait = (key: number, words: readonly number[]): void => {
    const count = texts.counts.get(key) ?? 0;
    if (count > 0) waiting.push({ key, count, tie: byPlace ? texts.firstPlace(key, words) : key, words });
  };
  for (const [key, words] of texts.pairs()) wait(key, words);
  for (let top = waiting.pop(); top !== undefined; top = waiting.pop()) {
    const count = texts.counts.get(top.key) ?? 0;
    const tie = byPlace && count > 0 ? texts.firstPlace(top.key, top.words) : top.tie;
    if (count !== top.count || tie !== top.tie) {
      [top.count, top.tie] = [count, tie];
      if (count > 0) waiting.push(top);
      continue;
    }
    if (count < plan.minFrequency) return;
    const id = plan.onMerge({ pair: pairOf(top.key), count });
    if (id === undefined) return;
    for (const [key, words] of texts.merge(top, id)) wait(key, words);
  }
}

/** The pieces of the texts, as tokens, and how often each pair stands in them. */
class Words {
  /** Of each pair that is left. Pairs overlap: `aaa` has `aa` twice. */
  readonly counts = new Map<number, number>();
  readonly #words: Int32Array[];
  /** Tokens that each word has left. */
  readonly #lengths: Int32Array;
  /** How often each word came. */
  readonly #times: readonly number[];
  /** Bytes of each token; those of one byte are left out. */
  readonly #sizes = new Map<number, number>();

  constructor(words: TrainingPlan["words"]) {
    this.#words = words.map(({ ids }) => Int32Array.from(ids));
    this.#lengths = Int32Array.from(words, ({ ids }) => ids.length);
    this.#times = words.map(({ count }) => count);
  }

  /** Counts all pairs. @returns the words of each, ascending. */
  pairs(): Map<number, number[]> {
    const found = new Map<number, number[]>();
    for (const [word, tokens] of this.#words.entries())
      for (let at = 0; at + 1 < tokens.length; at += 1)
        this.#found(pairKey(tokens[at] ?? 0, tokens[at + 1] ?? 0), word, found);
    return found;
  }

  /** Merges a pair wherever it stands. @returns the pairs that are new, with their words. */
  merge({ key, words }: Waiting, id: number): Map<number, number[]> {
    const found = new Map<number, number[]>();
    const [left, right] = pairOf(key);
    this.#sizes.set(id, this.#sizeOf(left) + this.#sizeOf(right));
    for (const word of words) this.#mergeIn(word, left, right, id, found);
    this.counts.delete(key);
    return found;
  }

  /** Where a pair stands first: the word and the place of its first byte, as one number. */
  firstPlace(key: number, words: readonly number[]): number {
    const [left, right] = pairOf(key);
    for (const word of words) {
      const tokens = this.#words[word] as Int32Array;
      const length = this.#lengths[word] ?? 0;
      // In bytes, because merges before it do not move it then.
      for (let at = 0, place = 0; at + 1 < length; at += 1) {
        if (tokens[at] === left && tokens[at + 1] === right) return word * PLACE + place;
        place += this.#sizeOf(tokens[at] ?? 0);
      }
    }
    return Infinity;
  }

  #sizeOf(id: number): number {
    return this.#sizes.get(id) ?? 1;
  }

  #mergeIn(word: number, left: number, right: number, id: number, found: Map<number, number[]>): void {
    const tokens = this.#words[word] as Int32Array;
    const length = this.#lengths[word] ?? 0;
    let to = 0;
    for (let from = 0; from < length; from += 1) {
      const token = tokens[from] ?? 0;
      if (token !== left || from + 1 >= length || tokens[from + 1] !== right) {
        tokens[to++] = token;
        continue;
      }
      if (to > 0) {
        const before = tokens[to - 1] ?? 0;
        this.#lost(pairKey(before, left), word);
        this.#found(pairKey(before, id), word, found);
      }
      from += 1;
      if (from + 1 < length) {
        const after = tokens[from + 1] ?? 0;
        this.#lost(pairKey(right, after), word);
        this.#found(pairKey(id, after), word, found);
      }
      tokens[to++] = id;
    }
    this.#lengths[word] = to;
  }

  #found(key: number, word: number, found: Map<number, number[]>): void {
    this.counts.set(key, (this.counts.get(key) ?? 0) + (this.#times[word] ?? 0));
    const words = found.get(key);
    if (words === undefined) found.set(key, [word]);
    else if (words.at(-1) !== word) words.push(word);
  }

  #lost(key: number, word: number): void {
    this.counts.set(key, (this.counts.get(key) ?? 0) - (this.#times[word] ?? 0));
  }
}
