/**
 * GPT-2's split: a text as pieces that no token crosses. A piece is a contraction (`'s 't 're 've 'm 'll 'd`), or letters, digits or
 * other signs with at most one blank before them, or white space; of white space before something else the last character
 * stays for what follows.
 *
 * The original is `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`. Its `\s` is Unicode's White_Space,
 * which is not JavaScript's: that one has U+FEFF, and lacks U+0085.
 */
const OTHER = 0;
const LETTER = 1;
const DIGIT = 2;
const SPACE = 3;

const BLANK = 0x20;
const APOSTROPHE = 0x27;
/** Code points whose kinds are looked up together. */
const BLOCK = 256;

/** By blocks; each is made when the first of its characters is met. */
const kinds: (Uint8Array | undefined)[] = [];

function kindOf(codePoint: number): number {
  const block = Math.floor(codePoint / BLOCK);
  return (kinds[block] ??= kindsFrom(block * BLOCK))[codePoint % BLOCK] ?? OTHER;
}

function kindsFrom(first: number): Uint8Array {
  return Uint8Array.from({ length: BLOCK }, (_, at) => {
    const character = String.fromCodePoint(first + at);
    if (/^\p{L}/u.test(character)) return LETTER;
    if (/^\p{N}/u.test(character)) return DIGIT;
    return /^\p{White_Space}/u.test(character) ? SPACE : OTHER;
  });
}

/** Calls `onPiece` with where each piece begins and ends, in order; together they are the whole text. */
export function eachPiece(text: string, onPiece: (from: number, to: number) => void): void {
  const { length } = text;
  for (let from = 0; from < length;) {
    const to = from + (contractionAt(text, from) || runAt(text, from));
    onPiece(from, to);
    from = to;
  }
}

/** Characters of the contraction that begins here; 0 for none. */
function contractionAt(text: string, from: number): number {
  if (text.charCodeAt(from) !== APOSTROPHE) return 0;
  const next = text.charAt(from + 1);
  if (next === "s" || next === "t" || next === "m" || next === "d") return 2;
  const both = text.slice(from + 1, from + 3);
  return both === "re" || both === "ve" || both === "ll" ? 3 : 0;
}

/** Characters of the run that begins here, with the blank before it. */
function runAt(text: string, from: number): number {
  const hasBlank = text.charCodeAt(from) === BLANK;
  const start = hasBlank && from + 1 < text.length ? from + 1 : from;
  const kind = kindAt(text, start);
  // A blank before white space is white space itself.
  if (kind !== SPACE) return endOfRun(text, start, kind) - from;
  const end = endOfRun(text, from, SPACE);
  // All white space is of one unit. The last of it belongs to what follows.
  return end < text.length && end - from > 1 ? end - from - 1 : end - from;
}

function endOfRun(text: string, from: number, kind: number): number {
  let at = from;
  while (at < text.length && kindAt(text, at) === kind) at += unitsAt(text, at);
  return at;
}

function kindAt(text: string, at: number): number {
  return kindOf(text.codePointAt(at) ?? 0);
}

function unitsAt(text: string, at: number): number {
  return (text.codePointAt(at) ?? 0) > 0xff_ff ? 2 : 1;
}
