/** The merges of a vocabulary, and a piece of text as its tokens by them. */
import { Heap } from "./heap.ts";

/** Above every id: a pair of ids is one number. */
const PAIR = 2 ** 26;
/** Pieces up to so many bytes are looked through for each merge; longer ones have a heap. */
const SHORT = 24;

/** Two ids that stand beside each other, as the key of a map. */
export function pairKey(left: number, right: number): number {
  return left * PAIR + right;
}

/** The two ids of a key. */
export function pairOf(key: number): [left: number, right: number] {
  return [Math.floor(key / PAIR), key % PAIR];
}

export class Merges {
  /** Which merge a pair has: what is merged first has the smallest rank. */
  readonly #ranks = new Map<number, number>();
  readonly #results: number[] = [];
  readonly #pairs: number[] = [];

  get length(): number {
    return this.#results.length;
  }

  /** The next merge. @returns false where the pair has one already. */
  add(left: number, right: number, result: number): boolean {
    const key = pairKey(left, right);
    if (this.#ranks.has(key)) return false;
    this.#ranks.set(key, this.#results.length);
    this.#results.push(result);
    this.#pairs.push(key);
    return true;
  }

  pairAt(rank: number): [left: number, right: number] {
    return pairOf(this.#pairs[rank] ?? 0);
  }

  /** The ids of a piece, of which one for each byte are given; they are changed. The smallest rank goes first, and of one rank what stands first. */
  apply(ids: number[]): number[] {
    return ids.length <= SHORT ? this.#applyShort(ids) : this.#applyLong(ids);
  }

  #rankOf(left: number, right: number): number {
    return this.#ranks.get(pairKey(left, right)) ?? Infinity;
  }

  #applyShort(ids: number[]): number[] {
    for (;;) {
      let best = Infinity;
      let place = -1;
      for (let at = 0; at + 1 < ids.length; at += 1) {
        const rank = this.#rankOf(ids[at] ?? 0, ids[at + 1] ?? 0);
        if (rank < best) [best, place] = [rank, at];
      }
      if (place === -1) return ids;
      ids.splice(place, 2, this.#results[best] ?? 0);
    }
  }

  /** The same for a word of any length: each merge takes the time of a look into the heap. */
  #applyLong(ids: readonly number[]): number[] {
    const { length } = ids;
    const tokens = Int32Array.from(ids);
    // Places whose token was merged into the one before have none any more.
    const next = Int32Array.from({ length }, (_, at) => at + 1);
    const previous = Int32Array.from({ length }, (_, at) => at - 1);
    // Rank and place as one number, which orders as the two do.
    const waiting = new Heap<number>((one, other) => one < other);
    const offer = (at: number): void => {
      const after = next[at] ?? length;
      if (after >= length) return;
      const rank = this.#rankOf(tokens[at] ?? 0, tokens[after] ?? 0);
      if (rank !== Infinity) waiting.push(rank * length + at);
    };
    for (let at = 0; at < length; at += 1) offer(at);
    for (let entry = waiting.pop(); entry !== undefined; entry = waiting.pop()) {
      const at = entry % length;
      const rank = Math.floor(entry / length);
      const after = next[at] ?? length;
      // What stands here may have been merged meanwhile, with this or another one.
      if (tokens[at] === -1 || after >= length) continue;
      if (this.#rankOf(tokens[at] ?? 0, tokens[after] ?? 0) !== rank) continue;
      tokens[at] = this.#results[rank] ?? 0;
      tokens[after] = -1;
      const end = next[after] ?? length;
      next[at] = end;
      if (end < length) previous[end] = at;
      offer(at);
      const before = previous[at] ?? -1;
      if (before >= 0) offer(before);
    }
    return Array.from(tokens.filter((token) => token !== -1));
  }
}
