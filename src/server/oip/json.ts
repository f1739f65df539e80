/** The JSON of a request: the data of its tensor stays bytes, everything else is parsed. */
import { setImmediate } from "node:timers/promises";
import { isRecord } from "../../base/files/json.ts";
import { bad, badTensor } from "./refusal.ts";
import { scan } from "./scan.ts";
import type { DataRange } from "./scan.ts";

/** Bytes of a request without its data: its names, shapes and parameters. */
const LARGEST_REST = 64 * 1024;
/** Stands where the data was. A request that sends it itself has no data. */
const MARK = "\u0000data";
/** Bytes of numbers that are parsed at a time, and how often the event loop gets its turn. */
const PIECE = 64 * 1024;
const PIECES = 4;

/** Texts of a list of pictures, with what is around each. */
const MOST_TEXTS = 256;

/** The data of a tensor, before anything was made of it. */
export interface JsonData {
  /** Numbers in it, as counted; undefined where it holds anything else. */
  readonly count: number | undefined;
  /** Writes the numbers, flat or nested, into memory of that length. @throws IsotorchError `BAD_TENSOR` */
  numbers(into: Float32Array | Uint8Array, accepts: (value: number) => boolean): Promise<void>;
  /** As JSON has it. @throws IsotorchError `INVALID_INPUT` */
  items(): unknown;
}

/** A request, and the data of its only input, if that is a list. */
export interface ParsedJson {
  readonly request: unknown;
  /** The data for what stands in its place in `request`. */
  readonly dataOf: (given: unknown) => JsonData;
}

/** @throws IsotorchError `INVALID_INPUT` for what is no JSON, and for more than a request can have. */
export async function parseJson(json: Buffer, mostValues: number): Promise<ParsedJson> {
  const range = await scan(json, mostValues);
  const parts =
    range === undefined
      ? [json]
      : [json.subarray(0, range.start), Buffer.from(JSON.stringify(MARK)), json.subarray(range.end)];
  if (parts.reduce((sum, { length }) => sum + length, 0) > LARGEST_REST) {
    throw bad(`it has more than ${LARGEST_REST} bytes beside the data of one input`);
  }
  const request = parsed(Buffer.concat(parts));
  const dataOf = (given: unknown): JsonData =>
    range !== undefined && given === MARK ? new RangeData(json, range) : new SmallData(given);
  return { request, dataOf };
}

class RangeData implements JsonData {
  readonly #json: Buffer;
  readonly #range: DataRange;

  constructor(json: Buffer, range: DataRange) {
    this.#json = json;
    this.#range = range;
  }

  get count(): number | undefined {
    return this.#range.isText ? undefined : this.#range.values;
  }

  items(): unknown {
    // Numbers do not come here: they are many, and the caller wants texts.
    if (!this.#range.isText || this.#range.values > MOST_TEXTS) {
      throw badTensor("data is no list of texts in base64");
    }
    try {
      // Base64 is ASCII, and this is four times as fast; what is another text is refused below.
      return JSON.parse(this.#json.toString("latin1", this.#range.start, this.#range.end));
    } catch (cause) {
      throw bad("its data is not JSON", cause);
    }
  }

  async numbers(into: Float32Array | Uint8Array, accepts: (value: number) => boolean): Promise<void> {
    let [written, pieces] = [0, 0];
    for (const piece of piecesOf(this.#json, this.#range)) {
      for (const value of numbersOf(piece)) {
        if (typeof value !== "number" || !accepts(value)) throw foreign(value);
        into[written++] = value;
      }
      pieces += 1;
      if (pieces % PIECES === 0) await setImmediate();
    }
  }
}

/** What is no list: too little to be worth care. */
class SmallData implements JsonData {
  readonly count = 0;
  readonly #given: unknown;

  constructor(given: unknown) {
    this.#given = given;
  }

  items(): unknown {
    return this.#given;
  }

  async numbers(): Promise<void> {
    throw badTensor("data is no list");
  }
}

/** The texts between commas far enough apart; the brackets were checked when they were counted. */
function* piecesOf(json: Buffer, { start, end }: DataRange): Generator<string> {
  let from = start;
  while (from < end) {
    let to = end;
    if (from + PIECE < end) {
      const before = json.lastIndexOf(",", from + PIECE);
      const comma = before > from ? before : json.indexOf(",", from);
      if (comma !== -1 && comma < end) to = comma;
    }
    if (to - from > 2 * PIECE) throw badTensor("data holds blanks and hardly a number");
    yield json.toString("latin1", from, to).replaceAll(/[[\]]/g, " ");
    from = to + 1;
  }
}

function numbersOf(piece: string): unknown[] {
  try {
    return JSON.parse(`[${piece}]`) as unknown[];
  } catch {
    throw badTensor("data holds what is no number of JSON");
  }
}

function parsed(json: Buffer): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(json));
  } catch (cause) {
    throw bad("the request is not JSON in UTF-8", cause);
  }
}

function foreign(value: unknown): Error {
  return badTensor(`data holds ${JSON.stringify(value)?.slice(0, 40)}, which the datatype has not`);
}

/** A picture in a list of BYTES: base64, plain or as `{"b64": text}`. @throws IsotorchError `BAD_TENSOR` */
export function encodedItem(item: unknown): Uint8Array {
  const text = isRecord(item) && Object.keys(item).length === 1 ? item["b64"] : item;
  if (typeof text !== "string") throw badTensor("an element of BYTES is no text in base64");
  return fromBase64(text);
}

/** @throws IsotorchError `BAD_TENSOR` */
export function fromBase64(text: string): Uint8Array {
  const plain = text.trim();
  // Node leaves out what it does not know; the length tells.
  const bytes = Buffer.from(plain, "base64");
  const length = plain.length - (plain.endsWith("==") ? 2 : plain.endsWith("=") ? 1 : 0);
  if (length === 0 || Math.ceil((bytes.length * 4) / 3) !== length) {
    throw badTensor("an element of BYTES is not base64");
  }
  return new Uint8Array(bytes); // a copy: it goes to another process
}
