/** Vectors that belong together: the connected components of "their cosine is at least the threshold". */
import { setImmediate as turn } from "node:timers/promises";
import { abortError } from "../base/errors.ts";
import { cosineOf, dot } from "./cosine.ts";
import type { Vector } from "./vector.ts";

export interface Member {
  /** Its place among the vectors. */
  readonly at: number;
  readonly name: string;
  /** The highest cosine with another vector of the group; undefined for one that is all zeros. */
  readonly similarity: number | undefined;
}

export interface GroupOptions {
  /** Vectors that belong together whatever their cosine is. @default none */
  readonly joined?: readonly (readonly [number, number])[];
  /** Hears how many vectors are compared with all others. */
  readonly onProgress?: (done: number) => void;
  /** Ends it between two vectors, with `ABORTED`. */
  readonly signal?: AbortSignal;
}

/**
 * Groups of two and more, in the order of their first members, and these in the order of the vectors. Two vectors may stand in a group
 * that are less alike than the threshold, where others lead from one to the other. Each pair is computed once and none is kept:
 * beside the vectors it needs a few numbers for each.
 *
 * @param threshold of the cosine, which is that of `cosine.ts`.
 */
export async function groupsOf(
  vectors: readonly Vector[],
  threshold: number,
  { joined = [], onProgress, signal }: GroupOptions = {},
): Promise<Member[][]> {
  const squares = vectors.map(({ values }) => dot(values, values));
  const best = vectors.map((): number | undefined => undefined);
  const parents = vectors.map((_, at) => at);
  for (const [a, b] of joined) join(parents, a, b);
  for (const [a, { values }] of vectors.entries()) {
    // A row of thousands takes some hundredths of a second; signals are heard between two.
    await turn();
    if (signal?.aborted === true) throw abortError(signal);
    for (let b = a + 1; b < vectors.length; b += 1) {
      const cosine = cosineOf(values, vectors[b]!.values, [squares[a]!, squares[b]!]);
      if (cosine === undefined || !(cosine >= threshold)) continue;
      join(parents, a, b);
      best[a] = Math.max(best[a] ?? -1, cosine);
      best[b] = Math.max(best[b] ?? -1, cosine);
    }
    onProgress?.(a + 1);
  }
  const groups = new Map<number, Member[]>();
  for (const [at, { name }] of vectors.entries()) {
    const root = rootOf(parents, at);
    const members = groups.get(root) ?? [];
    groups.set(root, members);
    members.push({ at, name, similarity: best[at] });
  }
  return [...groups.values()].filter((members) => members.length > 1);
}

function rootOf(parents: number[], at: number): number {
  let root = at;
  while (parents[root] !== root) root = parents[root]!;
  // What led there leads there at once the next time.
  for (let here = at; parents[here] !== root;) [here, parents[here]] = [parents[here]!, root];
  return root;
}

/** The first of a group is its root. */
function join(parents: number[], a: number, b: number): void {
  const [one, other] = [rootOf(parents, a), rootOf(parents, b)];
  parents[Math.max(one, other)] = Math.min(one, other);
}
