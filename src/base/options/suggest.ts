/** What a mistyped name most likely means. */

/** Characters of a name that is compared: no known one is as long, and a distance takes time for each. */
const LONGEST = 300;

/**
 * The known name that a mistyped one most likely means: the same but for upper and lower case, or at most a
 * third of its letters away. `undefined` where nothing is that near.
 *
 * @example suggest("topk", ["topK", "signal"]) // "topK"
 */
export function suggest(name: string, known: readonly string[]): string | undefined {
  if (name.length > LONGEST) return undefined;
  const wanted = name.toLowerCase();
  let best: string | undefined;
  let bestDistance = Math.max(2, Math.floor(wanted.length / 3)) + 1;
  for (const candidate of known) {
    const distance = editDistance(wanted, candidate.toLowerCase());
    if (distance < bestDistance && distance < candidate.length) [best, bestDistance] = [candidate, distance];
  }
  return best;
}

/** A hint with the known name that was meant; `undefined` where nothing is that near. */
export function didYouMean(
  name: string,
  known: readonly string[],
  written: (known: string) => string = (meant) => `"${meant}"`,
): string | undefined {
  const meant = suggest(name, known);
  return meant === undefined ? undefined : `Did you mean ${written(meant)}?`;
}

/** Insertions, deletions and replacements that turn one word into the other. */
function editDistance(from: string, to: string): number {
  let previous = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (let row = 1; row <= from.length; row += 1) {
    const current = [row];
    for (let column = 1; column <= to.length; column += 1) {
      const replaced = (previous[column - 1] ?? 0) + (from[row - 1] === to[column - 1] ? 0 : 1);
      current.push(Math.min(replaced, (previous[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1));
    }
    previous = current;
  }
  return previous[to.length] ?? 0;
}
