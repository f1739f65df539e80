/** Text that people give, in whatever encoding it comes: read strictly, or refused with the reason. */
import { isUtf8 } from "node:buffer";
import { CERTAIN, type ChineseEncoding, likelihood, neighbourOf } from "./chinese.ts";

/** An encoding by the names of the Encoding Standard, which `TextDecoder` takes. */
export type Encoding = "utf-8" | "utf-16le" | "utf-16be" | ChineseEncoding;

/** What a text's first bytes say of it: an encoding with the length of the mark, or one that is not read. */
export type Mark =
  | { readonly encoding: Encoding; readonly bytes: number }
  | { readonly refused: "UTF-32" }
  | undefined;

/** A text, or why it cannot be read: words that follow "the file". */
export type Reading =
  | {
      readonly outcome: "text";
      readonly text: string;
      readonly encoding: Encoding;
      /** Whether a byte order mark says the encoding. */
      readonly isMarked: boolean;
    }
  | { readonly outcome: "refused"; readonly why: string; readonly hint: string };

/** How encodings are called to people. */
export const NAMES: Readonly<Record<Encoding, string>> = {
  "utf-8": "UTF-8",
  "utf-16le": "UTF-16LE",
  "utf-16be": "UTF-16BE",
  gb18030: "GBK (GB18030)",
  big5: "Big5",
};

const MARKS: readonly (readonly [mark: readonly number[], Encoding | "UTF-32"])[] = [
  // Before UTF-16's, which the first of them begins with.
  [[0xff, 0xfe, 0, 0], "UTF-32"],
  [[0, 0, 0xfe, 0xff], "UTF-32"],
  [[0xef, 0xbb, 0xbf], "utf-8"],
  [[0xff, 0xfe], "utf-16le"],
  [[0xfe, 0xff], "utf-16be"],
  [[0x84, 0x31, 0x95, 0x33], "gb18030"],
];

/** How a file of an encoding that is not read, or not told, becomes UTF-8. */
export const TO_UTF8 =
  "Save it as UTF-8: in an editor by Save as…, on Linux and macOS with `iconv -f GBK -t UTF-8 OLD > NEW` (or -f BIG5)";

const LF = 10;

/** The byte order mark that a text begins with. */
export function markOf(bytes: Uint8Array): Mark {
  const found = MARKS.find(([mark]) => mark.every((byte, at) => bytes[at] === byte));
  if (found === undefined) return undefined;
  const [mark, encoding] = found;
  return encoding === "UTF-32" ? { refused: encoding } : { encoding, bytes: mark.length };
}

/** Whether bytes are only the beginning of a byte order mark, so that more of them are needed to tell. */
export function mayBecomeMark(bytes: Uint8Array): boolean {
  return MARKS.some(([mark]) => bytes.length < mark.length && bytes.every((byte, at) => mark[at] === byte));
}

/**
 * Reads a whole text: by its byte order mark; else as UTF-8, where all of it is; else as GBK or Big5, where one of them
 * fits and is far likelier than the other. What was not told by a mark and is not UTF-8 is the reader's to be told.
 */
export function readText(bytes: Uint8Array): Reading {
  const mark = markOf(bytes);
  if (mark !== undefined && "refused" in mark) {
    return { outcome: "refused", why: `is ${mark.refused}, which is not read`, hint: TO_UTF8 };
  }
  if (mark !== undefined) return readMarked(bytes.subarray(mark.bytes), mark.encoding);
  const wide = unmarkedUtf16(bytes);
  if (wide !== undefined) return { outcome: "refused", why: wide, hint: TO_UTF8 };
  const nul = bytes.indexOf(0);
  if (nul !== -1) {
    const why = `is no text: byte ${nul} is NUL`;
    return { outcome: "refused", why, hint: "Give a text file in UTF-8." };
  }
  if (isUtf8(bytes)) return textOf(new TextDecoder("utf-8").decode(bytes), "utf-8", false);
  const found = readChinese(bytes);
  if (found.outcome === "text") return textOf(found.text, found.encoding, false);
  return { outcome: "refused", why: `${notUtf8(bytes)}${found.why}`, hint: TO_UTF8 };
}

function readMarked(bytes: Uint8Array, encoding: Encoding): Reading {
  const text = decoded(bytes, encoding);
  if (text !== undefined && !text.includes("\0")) return textOf(text, encoding, true);
  const begins = `begins with the byte order mark of ${NAMES[encoding]}`;
  const why =
    text === undefined
      ? `${begins}, and not all of it is ${NAMES[encoding]}`
      : `${begins}, and has NUL characters in it`;
  return { outcome: "refused", why, hint: TO_UTF8 };
}

function textOf(text: string, encoding: Encoding, isMarked: boolean): Reading {
  return { outcome: "text", text, encoding, isMarked };
}

/** Bytes without a mark that are UTF-16 all the same: most Latin letters have NUL for every other byte. */
export function unmarkedUtf16(bytes: Uint8Array): string | undefined {
  const start = bytes.subarray(0, 512);
  const even = start.filter((byte, at) => at % 2 === 0 && byte === 0).length;
  const odd = start.filter((byte, at) => at % 2 === 1 && byte === 0).length;
  // Of the pairs at least a third are such letters, blanks or line ends, and no NUL is on the other side.
  const enough = Math.max(1, start.length / 6);
  if (even === 0 && odd >= enough)
    return "looks like UTF-16LE, without the byte order mark that would say so";
  if (odd === 0 && even >= enough)
    return "looks like UTF-16BE, without the byte order mark that would say so";
  return undefined;
}

/** What a text that is not UTF-8 is as GBK or Big5, or why neither is believed. */
export type ChineseReading =
  | { readonly outcome: "text"; readonly text: string; readonly encoding: ChineseEncoding }
  | { readonly outcome: "refused"; readonly why: string };

/** The reading as GBK or Big5 that fits and is likely; neither where both are, or none. */
export function readChinese(bytes: Uint8Array): ChineseReading {
  const readings = chineseReadings(bytes).map(({ text, encoding }) => ({
    text,
    encoding,
    odds: likelihood(bytes, encoding),
  }));
  const [best, other] = readings.toSorted((a, b) => b.odds - a.odds);
  if (best === undefined) return { outcome: "refused", why: ", GBK or Big5" };
  const neighbour = neighbourOf(bytes);
  if (neighbour !== undefined)
    return { outcome: "refused", why: `; it looks like ${neighbour}, which is not read` };
  if (best.odds <= 0) {
    const names = readings.map(({ encoding }) => NAMES[encoding]).join(" or ");
    return { outcome: "refused", why: `; as ${names} it would be no likely Chinese` };
  }
  if (other !== undefined && best.odds - other.odds < CERTAIN) {
    const shown = readings.map(({ text, encoding }) => `${excerptOf(text)} as ${NAMES[encoding]}`);
    return { outcome: "refused", why: `, and can be ${shown.join(" and ")}: which, is not certain` };
  }
  return { outcome: "text", text: best.text, encoding: best.encoding };
}

/** What the bytes are in each Chinese encoding in which all of them are good. */
export function chineseReadings(
  bytes: Uint8Array,
): readonly { readonly text: string; readonly encoding: ChineseEncoding }[] {
  return (["gb18030", "big5"] as const).flatMap((encoding) => {
    const text = decoded(bytes, encoding);
    // Characters of private use are what GB18030 makes of bytes that GBK has no character for.
    return text === undefined || /[\uE000-\uF8FF]/.test(text) ? [] : [{ text, encoding }];
  });
}

/** The text, or `undefined` where not all bytes are good in this encoding. */
export function decoded(bytes: Uint8Array, encoding: Encoding): string | undefined {
  try {
    return new TextDecoder(encoding, { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

/** A place in a file. */
export interface Place {
  /** Of the first byte: its line, from 1, and its offset. */
  readonly number: number;
  readonly offset: number;
}

/** Where bytes stop to be UTF-8, as words that follow "the file". The bytes begin at `from`. */
export function notUtf8(bytes: Uint8Array, from: Place = { number: 1, offset: 0 }): string {
  let { number } = from;
  for (let start = 0; ; number++) {
    const end = bytes.indexOf(LF, start);
    const content = bytes.subarray(start, end === -1 ? bytes.length : end);
    if (!isUtf8(content))
      return `is not UTF-8 (line ${number}, byte offset ${from.offset + start + firstBad(content)})`;
    if (end === -1) return "is UTF-8";
    start = end + 1;
  }
}

/** The position of the first byte that is not UTF-8. */
function firstBad(bytes: Uint8Array): number {
  for (let at = 0; at < bytes.length;) {
    const length = [1, 2, 3, 4].find(
      (size) => at + size <= bytes.length && isUtf8(bytes.subarray(at, at + size)),
    );
    if (length === undefined) return at;
    at += length;
  }
  return bytes.length;
}

function excerptOf(text: string): string {
  const line = text.split(/\r\n|\n|\r/).find((candidate) => /[\u0080-\uFFFF]/.test(candidate)) ?? "";
  return JSON.stringify(line.length > 24 ? `${line.slice(0, 24)}…` : line);
}
