/** Special tokens in a text: only where they are allowed is one of them one token. */

/** A part of a text: ordinary text, or a special token with its id. */
export type Part =
  | { readonly from: number; readonly to: number; readonly id?: undefined }
  | { readonly from: number; readonly to: number; readonly id: number };

/** The parts of a text, in order. Of several tokens that begin at one place, the longest is taken. */
export function partsOf(text: string, special: ReadonlyMap<string, number>): Part[] {
  const byLength = [...special].toSorted(([one], [other]) => other.length - one.length);
  // Where each of them stands next.
  const places = byLength.map(([token]) => text.indexOf(token));
  const parts: Part[] = [];
  let from = 0;
  for (;;) {
    for (const [at, [token]] of byLength.entries()) {
      const place = places[at] ?? -1;
      if (place !== -1 && place < from) places[at] = text.indexOf(token, from);
    }
    const first = Math.min(...places.filter((place) => place !== -1));
    const found = byLength[places.indexOf(first)];
    if (found === undefined) break;
    if (first > from) parts.push({ from, to: first });
    from = first + found[0].length;
    parts.push({ from: first, to: from, id: found[1] });
  }
  if (from < text.length) parts.push({ from, to: text.length });
  return parts;
}
