/** Foreign text in messages: short, on one line, in its own case, and without what a terminal obeys. */

import { shownName } from "./shown-name.ts";

/** Most characters that a message repeats of what it was given. */
export const MOST_SHOWN = 200;

/** Characters that a long text keeps of its end, where paths say most. */
const END = 79;

/** Most characters of a message or a hint, whatever it was made of. */
const MOST_TOLD = 4_000;

/**
 * Controls, formats such as those of writing directions, ends of lines and of paragraphs, and halves of surrogate pairs.
 * Joiners stay: they are part of writing, in Persian or emoji.
 */
const UNSEEN = /(?![\u200c\u200d])[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

const SHORT: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

/** What is unseen in a text as escapes as JSON has them, such as `\u001b`: nothing of it moves a cursor or turns a line around. */
export function visible(text: string): string {
  return text.replace(UNSEEN, escaped);
}

/** The same for a text of several lines, whose line ends stay. */
export function visibleLines(text: string): string {
  return text.replace(UNSEEN, (character) => (character === "\n" ? character : escaped(character)));
}

function escaped(character: string): string {
  const units = Array.from({ length: character.length }, (_, at) => character.charCodeAt(at));
  return SHORT[character] ?? units.map((unit) => `\\u${unit.toString(16).padStart(4, "0")}`).join("");
}

/** A text on one line in at most `most` characters, its middle left out. For what stands in quotes already. */
export function excerpt(text: string, most: number = MOST_SHOWN): string {
  // What is cut away needs no look, of a megabyte for example: escapes make a text only longer.
  const ends = text.length > 2 * most ? bothEnds(text, most, most) : text;
  const seen = visible(shownName(ends));
  if (seen.length <= most) return seen;
  const end = Math.min(END, Math.floor(most / 2) - 1);
  return bothEnds(seen, most - end - 1, end);
}

/** The beginning and the end of a text, without the half of a pair where it was cut. */
function bothEnds(text: string, start: number, end: number): string {
  const head = text.slice(0, start).replace(/[\ud800-\udbff]$/, "");
  return `${head}…${text.slice(-end).replace(/^[\udc00-\udfff]/, "")}`;
}

/**
 * A name, a path, an address or a value, as part of a sentence: an {@link excerpt}, in quotes where a reader could take
 * it for a word of the sentence, or could not see where it ends.
 */
export function shown(text: string, most: number = MOST_SHOWN): string {
  const isWord = /^[a-z]+(?:[ ,]|$)/.test(text);
  const hasBlankEnd = /^\s|\s$/.test(text);
  return text === "" || isWord || hasBlankEnd ? `"${excerpt(text, most - 2)}"` : excerpt(text, most);
}

/** A value of an option as JSON, in at most `most` characters. */
export function shownValue(value: unknown, most: number = MOST_SHOWN): string {
  return excerpt(jsonOf(value, most), most);
}

/** Whole texts and lists are not written out only to be cut. */
function jsonOf(value: unknown, most: number): string {
  try {
    if (typeof value === "string")
      return JSON.stringify(value.length > 2 * most ? excerpt(value, most) : value);
    if (ArrayBuffer.isView(value)) return `a ${value.constructor.name} of ${value.byteLength} bytes`;
    return JSON.stringify(Array.isArray(value) ? value.slice(0, most) : value) ?? String(value);
  } catch {
    return typeof value;
  }
}

/** Longer than any word of a sentence, in characters and not in halves of them. */
function isLongWord(word: string): boolean {
  return word.length > 200 && Array.from(word).length > 200;
}

/**
 * The last line of defence, for a whole message or hint: what foreign texts may have brought in all the same is made
 * visible, and cut where no sentence has so long a word.
 */
export function told(text: string): string {
  const whole = text.length > 2 * MOST_TOLD ? excerpt(text, MOST_TOLD) : visibleLines(text);
  const short = whole.replace(/\S+/gu, (word) => (isLongWord(word) ? excerpt(word) : word));
  return short.length > MOST_TOLD ? bothEnds(short, MOST_TOLD - END - 1, END) : short;
}
