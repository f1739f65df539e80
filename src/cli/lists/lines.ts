/** The lines of a list, as its bytes come: by its byte order mark, else each line by itself. */
import { isAscii, isUtf8 } from "node:buffer";
import {
  type Encoding,
  NAMES,
  TO_UTF8,
  decoded,
  markOf,
  mayBecomeMark,
  unmarkedUtf16,
} from "../../base/text/text.ts";
import { IsotorchError } from "../../base/errors.ts";

/** One line, or one entry of a list with NUL between them. */
export interface Line {
  /** From 1. */
  readonly number: number;
  /** `undefined` where it is not UTF-8, and the list does not say what else. */
  readonly text: string | undefined;
  /** Where the list does not say its encoding, and the line is more than ASCII: it may be something else than UTF-8. */
  readonly bytes: Uint8Array | undefined;
  /** Of its first byte in the list. */
  readonly offset: number;
}

/** How a list is read. */
export interface LineOptions {
  /** What it is called to people: "list.txt", "on stdin". */
  readonly name: string;
  /** Entries end with NUL and are UTF-8 to the byte. */
  readonly isNul: boolean;
}

/** Bytes of one entry; a data: URL may be long. */
const LONGEST_ENTRY = 32 * 1024 * 1024;
const LF = 10;

/** Makes the `BAD_LIST` of a list: `why` follows its name. */
export function badList(name: string, why: string, hint?: string): IsotorchError {
  return new IsotorchError("BAD_LIST", `The list ${name} ${why}.`, hint === undefined ? {} : { hint });
}

/**
 * The lines of a list without their line ends; no more than one of them is in memory.
 *
 * @throws IsotorchError `BAD_LIST` with the line where it stops to be what its byte order mark says, or for NUL in lines.
 */
export async function* linesOf(
  source: AsyncIterable<Uint8Array>,
  { name, isNul }: LineOptions,
): AsyncGenerator<Line, void, undefined> {
  if (isNul) return yield* piecesOf(source, 0, name);
  const [start, rest] = await startOf(source);
  const mark = markOf(start);
  if (mark !== undefined && "refused" in mark)
    throw badList(name, `is ${mark.refused}, which is not read`, TO_UTF8);
  const bytes = joined(start.subarray(mark?.bytes ?? 0), rest);
  if (mark?.encoding === "utf-16le" || mark?.encoding === "utf-16be") {
    // As UTF-8 its lines end with one byte again.
    yield* markedLines(asUtf8(bytes, mark.encoding, name), "utf-8", name);
  } else if (mark !== undefined) yield* markedLines(bytes, mark.encoding, name);
  else yield* unmarkedLines(bytes, name);
}

async function* markedLines(
  source: AsyncIterable<Uint8Array>,
  encoding: Encoding,
  name: string,
): AsyncGenerator<Line, void, undefined> {
  for await (const { number, bytes = EMPTY, offset } of piecesOf(source, LF, name)) {
    const text = decoded(bytes, encoding);
    if (text === undefined)
      throw badList(
        name,
        `begins with the byte order mark of ${NAMES[encoding]}, and line ${number} is not ${NAMES[encoding]}`,
        TO_UTF8,
      );
    if (text.includes("\0")) throw nulIn(name, bytes, number);
    yield { number, text, bytes: undefined, offset };
  }
}

async function* unmarkedLines(
  source: AsyncIterable<Uint8Array>,
  name: string,
): AsyncGenerator<Line, void, undefined> {
  for await (const line of piecesOf(source, LF, name)) {
    const { number, bytes = EMPTY } = line;
    if (bytes.includes(0)) throw nulIn(name, bytes, number);
    yield isAscii(bytes) ? { ...line, bytes: undefined } : line;
  }
}

function nulIn(name: string, bytes: Uint8Array, number: number): IsotorchError {
  const wide = unmarkedUtf16(bytes);
  if (wide !== undefined) return badList(name, wide, TO_UTF8);
  return badList(
    name,
    `has NUL characters in line ${number}`,
    "Say --null where its entries end with NUL, as those of find -print0 do.",
  );
}

const EMPTY = new Uint8Array();

/** The pieces between ends of one byte, with their bytes, and their text where it is UTF-8. */
async function* piecesOf(
  source: AsyncIterable<Uint8Array>,
  end: number,
  name: string,
): AsyncGenerator<Line, void, undefined> {
  let [number, offset] = [0, 0];
  let begun: Uint8Array[] = [];
  let size = 0;
  const whole = (last: Uint8Array): Line => {
    const bytes = begun.length === 0 ? last : Buffer.concat([...begun, last]);
    const line = {
      number: (number += 1),
      offset,
      bytes,
      text: isUtf8(bytes) ? Buffer.from(bytes).toString() : undefined,
    };
    offset += bytes.length + 1;
    [begun, size] = [[], 0];
    return line;
  };
  for await (const chunk of source) {
    let start = 0;
    for (let at = chunk.indexOf(end); at !== -1; at = chunk.indexOf(end, start)) {
      yield whole(chunk.subarray(start, at));
      start = at + 1;
    }
    begun.push(chunk.subarray(start));
    size += chunk.length - start;
    if (size > LONGEST_ENTRY)
      throw badList(name, `has no end of line for ${LONGEST_ENTRY / 2 ** 20} MiB after line ${number}`);
  }
  if (size > 0) yield whole(EMPTY);
}

/** The first bytes, enough of them to tell whether they are a byte order mark, and what comes after them. */
async function startOf(source: AsyncIterable<Uint8Array>): Promise<[Uint8Array, AsyncIterator<Uint8Array>]> {
  const iterator = source[Symbol.asyncIterator]();
  let start: Uint8Array = EMPTY;
  do {
    const next = await iterator.next();
    if (next.done === true) break;
    start = Buffer.concat([start, next.value]);
  } while (mayBecomeMark(start));
  return [start, iterator];
}

async function* joined(
  start: Uint8Array,
  rest: AsyncIterator<Uint8Array>,
): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    yield start;
    for (let next = await rest.next(); next.done !== true; next = await rest.next()) yield next.value;
  } finally {
    await rest.return?.();
  }
}

async function* asUtf8(
  source: AsyncIterable<Uint8Array>,
  encoding: Encoding,
  name: string,
): AsyncGenerator<Uint8Array, void, undefined> {
  const decoder = new TextDecoder(encoding, { fatal: true, ignoreBOM: true });
  const decode = (bytes: Uint8Array, stream: boolean): Uint8Array => {
    try {
      return Buffer.from(decoder.decode(bytes, { stream }));
    } catch (cause) {
      const why = `begins with the byte order mark of ${NAMES[encoding]}, and not all of it is ${NAMES[encoding]}`;
      throw new IsotorchError("BAD_LIST", `The list ${name} ${why}.`, { hint: TO_UTF8, cause });
    }
  };
  for await (const chunk of source) yield decode(chunk, true);
  yield decode(EMPTY, false);
}
