/** The vectors that are nearest to one, as they come: no more of them are kept than are asked for. */
import { cosineOf, dot } from "./cosine.ts";
import type { Vector } from "./vector.ts";

/** A picture, and the cosine of its vector and the other one. */
export interface Similar {
  readonly name: string;
  readonly similarity: number;
}

export class Nearest {
  readonly #query: Float32Array;
  readonly #squares: number;
  readonly #most: number;
  readonly #found: Similar[] = [];
  /** Vectors that are all zeros: no cosine with them is defined. */
  zeros = 0;

  /** @param most how many are kept; 0 = all. */
  constructor(query: Float32Array, most: number) {
    this.#query = query;
    this.#squares = dot(query, query);
    this.#most = most === 0 ? Infinity : most;
  }

  add({ name, values }: Vector): void {
    const similarity = cosineOf(this.#query, values, [this.#squares, dot(values, values)]);
    if (similarity === undefined) {
      this.zeros += 1;
      return;
    }
    if (this.#found.length >= this.#most && similarity <= (this.#found.at(-1)?.similarity ?? -1)) return;
    // Of equals the first that came stays before the others.
    let [low, high] = [0, this.#found.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#found[middle]!.similarity >= similarity) low = middle + 1;
      else high = middle;
    }
    this.#found.splice(low, 0, { name, similarity });
    if (this.#found.length > this.#most) this.#found.pop();
  }

  /** Nearest first. */
  get found(): readonly Similar[] {
    return this.#found;
  }
}
