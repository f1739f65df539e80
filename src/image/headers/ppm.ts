import type { Counter } from "../source/limits.ts";
import type { HeaderFacts } from "./facts.ts";

const MODES: Record<string, string> = { P1: "1", P2: "L", P3: "RGB", P4: "1", P5: "L", P6: "RGB" };
const SPACE = new Set([0x20, 0x09, 0x0a, 0x0b, 0x0c, 0x0d]);
const LINE_ENDS = new Set([0x0a, 0x0d]);
const HASH = 0x23;

/** The formats whose numbers are written out, with comments anywhere between them. */
const WRITTEN = /^P[123]/;
/** Pillow reads a header byte by byte. */
const PART = 256;

/** The size in the header of a PPM, PGM or PBM, behind comments; zeros where it is not plainly there. */
export function ppm(view: Buffer, comments: Counter): Pick<HeaderFacts, "width" | "height" | "mode"> {
  countComments(view, comments);
  const mode = MODES[view.toString("latin1", 0, 2)];
  const numbers: number[] = [];
  let at = 2;
  while (numbers.length < 2) {
    const start = skip(view, at);
    const end = digitsEnd(view, start);
    const isToken = start > at && end > start && end - start <= 10 && SPACE.has(view.readUInt8(end));
    if (!isToken) return { width: 0, height: 0, mode };
    numbers.push(Number(view.toString("latin1", start, end)));
    at = end;
  }
  return { width: numbers[0]!, height: numbers[1]!, mode };
}

/** Where space and comments end. A comment reaches to the end of its line. */
function skip(view: Buffer, from: number): number {
  let [at, inComment] = [from, false];
  for (; at < view.length; at++) {
    const byte = view[at]!;
    if (inComment) inComment = !LINE_ENDS.has(byte);
    else if (byte === HASH && at > from) inComment = true;
    else if (!SPACE.has(byte)) return at;
  }
  return at;
}

function digitsEnd(view: Buffer, from: number): number {
  let at = from;
  while (at < view.length && view[at]! >= 0x30 && view[at]! <= 0x39) at++;
  return at;
}

/** @throws IsotorchError `INPUT_TOO_LARGE`. */
function countComments(view: Buffer, comments: Counter): void {
  let at = 2;
  // Of each format that Pillow reads: size, largest value.
  for (let token = 0; token < 3; token++) {
    const start = skip(view, at);
    comments.count(Math.floor((start - at) / PART));
    for (at = start; at < view.length && !SPACE.has(view[at]!); at++);
  }
  if (!WRITTEN.test(view.toString("latin1", 0, 2))) return;
  for (at = view.indexOf(HASH); at >= 0; at = view.indexOf(HASH, at + 1)) comments.count();
}
