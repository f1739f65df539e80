import type { HeaderFacts } from "./facts.ts";

const MODES: Record<string, string> = { P1: "1", P2: "L", P3: "RGB", P4: "1", P5: "L", P6: "RGB" };
const SPACE = new Set([0x20, 0x09, 0x0a, 0x0b, 0x0c, 0x0d]);
const LINE_ENDS = new Set([0x0a, 0x0d]);
const HASH = 0x23;

/** The size in the header of a PPM, PGM or PBM, behind comments of any length; zeros where it is not plainly there. */
export function ppm(view: Buffer): Pick<HeaderFacts, "width" | "height" | "mode"> {
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
