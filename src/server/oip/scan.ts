/** A linear look at the bytes of a JSON request, before anything is built of them: what cannot be a request ends here. */
import { setImmediate } from "node:timers/promises";
import { bad } from "./refusal.ts";

/** The array of an input's data, as it stands in the bytes. */
export interface DataRange {
  readonly start: number;
  /** Behind its closing bracket. */
  readonly end: number;
  /** Scalars in it. */
  readonly values: number;
  /** Whether it holds texts or objects, and not numbers alone. */
  readonly isText: boolean;
}

/** Levels of brackets: a request with nested data has 7. */
const DEEPEST = 16;
/** Four dimensions of 32 pictures have 21,665 arrays. */
const MOST_ARRAYS = 32_768;
const MOST_OBJECTS = 256;
const MOST_TEXTS = 4_096;
/** Some clients escape each slash of base64: a picture of 20 MiB has 437,000. */
const MOST_ESCAPES = 524_288;
/** Characters of one number: 25 say any double. */
const LONGEST_WORD = 64;
/** Bytes between two turns of the event loop: about 3 ms. */
const SLICE = 1024 * 1024;

const [SPACE, WORD] = [1, 2];
/** What a byte outside of texts is. Words are numbers, true, false and null; the parser looks at their spelling. */
const KINDS = Uint8Array.from({ length: 256 }, (_, byte) => {
  const char = String.fromCharCode(byte);
  if (" \t\r\n".includes(char)) return SPACE;
  return /[\w.+-]/.test(char) ? WORD : 0;
});

const [QUOTE, COMMA, COLON, BACKSLASH] = [0x22, 0x2c, 0x3a, 0x5c];
const [OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = [0x5b, 0x5d, 0x7b, 0x7d];

/** What stands before: a value may follow an opening, a comma or a colon; they follow a value. */
type Before = "opening" | "comma" | "colon" | "value";

/**
 * Counts and finds the data of the input; gives way to the event loop after every MiB.
 *
 * @param mostValues scalars of a request at most.
 * @throws IsotorchError `INVALID_INPUT`
 */
export async function scan(bytes: Buffer, mostValues: number): Promise<DataRange | undefined> {
  const scanner = new Scanner(bytes, mostValues);
  for (let end = SLICE; !scanner.run(Math.min(end, bytes.length)); end += SLICE) await setImmediate();
  return scanner.data;
}

class Scanner {
  data: DataRange | undefined;
  readonly #bytes: Buffer;
  readonly #mostValues: number;
  /** The opening brackets that are not closed. */
  readonly #open: number[] = [];
  #at: number;
  #before: Before = "opening";
  #values = 0;
  #texts = 0;
  #arrays = 0;
  #objects = 0;
  #escapes = 0;
  /** The next backslash, as far as it was looked for. */
  #slash = -1;
  /** Where the last text is, its quotes included. */
  #text: readonly [start: number, end: number] = [0, 0];
  /** Counts when the data began. */
  #begun: { readonly start: number; readonly values: number; readonly others: number } | undefined;

  constructor(bytes: Buffer, mostValues: number) {
    this.#bytes = bytes;
    this.#mostValues = mostValues;
    const hasMark = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;
    this.#at = hasMark ? 3 : 0;
  }

  /** @returns whether all was seen. */
  run(end: number): boolean {
    const bytes = this.#bytes;
    while (this.#at < end) {
      const byte = bytes[this.#at]!;
      const kind = KINDS[byte]!;
      if (kind === SPACE) this.#at += 1;
      else if (kind === WORD) this.#word();
      else if (byte === COMMA) this.#mark("comma");
      else this.#sign(byte);
    }
    return end === bytes.length;
  }

  #sign(byte: number): void {
    switch (byte) {
      case QUOTE:
        return this.#string();
      case COLON:
        return this.#mark("colon");
      case OPEN_LIST:
      case OPEN_OBJECT:
        return this.#opening(byte);
      case CLOSE_LIST:
      case CLOSE_OBJECT:
        return this.#closing(byte);
      default:
        throw bad("the request is not JSON in UTF-8");
    }
  }

  #word(): void {
    const bytes = this.#bytes;
    const start = this.#at;
    let at = start + 1;
    while (at < bytes.length && KINDS[bytes[at]!] === WORD) at += 1;
    if (at - start > LONGEST_WORD) throw bad(`a number has more than ${LONGEST_WORD} characters`);
    this.#at = at;
    this.#value();
  }

  #string(): void {
    const start = this.#at;
    let at = start + 1;
    let quote = this.#next(QUOTE, at);
    // Each sign is looked for once: texts may be long, and many.
    if (this.#slash < at) this.#slash = this.#next(BACKSLASH, at);
    while (this.#slash < quote) {
      this.#escapes += 1;
      if (this.#escapes > MOST_ESCAPES) throw bad(`it has more than ${MOST_ESCAPES} escapes`);
      at = this.#slash + 2;
      if (quote < at) quote = this.#next(QUOTE, at);
      this.#slash = this.#next(BACKSLASH, at);
    }
    if (quote === this.#bytes.length) throw bad("the request is not JSON in UTF-8");
    this.#texts += 1;
    if (this.#texts > MOST_TEXTS) throw bad(`it has more than ${MOST_TEXTS} texts`);
    this.#at = quote + 1;
    this.#text = [start, quote + 1];
    this.#value();
  }

  /** Where the sign is next, or the end. */
  #next(sign: number, from: number): number {
    const at = this.#bytes.indexOf(sign, from);
    return at === -1 ? this.#bytes.length : at;
  }

  #value(): void {
    if (this.#before === "value") throw bad("the request is not JSON in UTF-8");
    this.#before = "value";
    this.#values += 1;
    if (this.#values > this.#mostValues) throw bad(`it has more than ${this.#mostValues} values`);
  }

  /** A comma or a colon. */
  #mark(mark: "comma" | "colon"): void {
    if (this.#before !== "value") throw bad("the request is not JSON in UTF-8");
    this.#before = mark;
    this.#at += 1;
  }

  #opening(bracket: number): void {
    if (this.#before === "value") throw bad("the request is not JSON in UTF-8");
    if (this.#open.length === DEEPEST) throw bad(`it is nested more than ${DEEPEST} levels deep`);
    if (bracket === OPEN_LIST) this.#arrays += 1;
    else this.#objects += 1;
    if (this.#arrays > MOST_ARRAYS) throw bad(`it has more than ${MOST_ARRAYS} lists`);
    if (this.#objects > MOST_OBJECTS) throw bad(`it has more than ${MOST_OBJECTS} objects`);
    if (this.data === undefined && this.#begun === undefined && this.#isData(bracket)) {
      this.#begun = { start: this.#at, values: this.#values, others: this.#texts + this.#objects };
    }
    this.#open.push(bracket);
    this.#before = "opening";
    this.#at += 1;
  }

  /** Whether this list is the value of `data` in an object of a list of the request. */
  #isData(bracket: number): boolean {
    if (bracket !== OPEN_LIST || this.#before !== "colon" || this.#open.length !== 3) return false;
    return this.#bytes.toString("latin1", ...this.#text) === '"data"';
  }

  #closing(bracket: number): void {
    const opening = bracket === CLOSE_LIST ? OPEN_LIST : OPEN_OBJECT;
    const fits = this.#before === "value" || this.#before === "opening";
    if (!fits || this.#open.pop() !== opening) throw bad("the request is not JSON in UTF-8");
    this.#before = "value";
    this.#at += 1;
    if (this.#begun === undefined || this.#open.length > 3) return;
    const { start, values, others } = this.#begun;
    const isText = this.#texts + this.#objects > others;
    this.data = { start, end: this.#at, values: this.#values - values, isText };
    this.#begun = undefined;
  }
}
