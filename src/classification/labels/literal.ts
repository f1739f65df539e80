/** Reads what JSON and Python's literals have in common: lists, dictionaries, strings, whole numbers. Nothing is run. */

/** A dictionary as it is written: its order kept, keys that come twice kept. */
export class Dict {
  readonly pairs: readonly (readonly [key: Literal, value: Literal])[];

  constructor(pairs: readonly (readonly [key: Literal, value: Literal])[]) {
    this.pairs = pairs;
  }
}

/** A value; `null` stands for JSON's and Python's constants, which no label list needs. */
export type Literal = string | number | null | Dict | readonly Literal[];

/** Where a text stops to be a literal. */
export class LiteralError extends Error {
  override readonly name = "LiteralError";
}

const DEEPEST = 8;

/**
 * Reads one literal, which must be all of the text.
 *
 * @throws LiteralError with the line and what was expected there.
 */
export function parseLiteral(text: string): Literal {
  const reader = new Reader(text);
  const value = reader.value(0);
  reader.end();
  return value;
}

const ESCAPES: Readonly<Record<string, string>> = {
  n: "\n",
  r: "\r",
  t: "\t",
  b: "\b",
  f: "\f",
  v: "\v",
  a: "\x07",
  "\n": "",
};

class Reader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  value(depth: number): Literal {
    const next = this.#peek();
    if (depth > DEEPEST) throw this.#error("brackets within brackets, more than a label list has");
    if (next === "[") return this.#list("]", depth);
    if (next === "(") return this.#list(")", depth);
    if (next === "{") return this.#dict(depth);
    const number = this.#take(/-?\d+(?![\d.eE\w])/y);
    if (number !== undefined) return Number(number);
    if (this.#take(/(?:null|None|true|True|false|False|-?\d[\d.eE+-]*)(?!\w)/y) !== undefined) return null;
    return this.#string();
  }

  /** Past blanks and comments there must be nothing more. A semicolon ends an assignment of JavaScript. */
  end(): void {
    if (this.#peek() === ";") this.#at += 1;
    if (this.#peek() !== "") throw this.#error("the end");
  }

  #list(close: "]" | ")", depth: number): Literal[] {
    const items: Literal[] = [];
    this.#at += 1;
    while (this.#peek() !== close) {
      items.push(this.value(depth + 1));
      this.#separator(close);
    }
    this.#at += 1;
    return items;
  }

  #dict(depth: number): Dict {
    const pairs: [Literal, Literal][] = [];
    this.#at += 1;
    while (this.#peek() !== "}") {
      const key = this.value(depth + 1);
      if (this.#peek() !== ":") throw this.#error('":"');
      this.#at += 1;
      pairs.push([key, this.value(depth + 1)]);
      this.#separator("}");
    }
    this.#at += 1;
    return new Dict(pairs);
  }

  /** A comma, also after the last one, as Python allows; or the closing bracket, which stays. */
  #separator(close: string): void {
    const next = this.#peek();
    if (next === ",") this.#at += 1;
    else if (next !== close) throw this.#error(`"," or "${close}"`);
  }

  #string(): string {
    const quote = this.#take(/u?(?:"""|'''|["'])/iy)?.replace(/^u/i, "");
    if (quote === undefined) throw this.#error("a string in quotes, a number or a bracket");
    if (quote.length === 3) throw this.#error("a string in single or double quotes");
    const start = this.#at;
    let value = "";
    for (;;) {
      const character = this.#text[this.#at];
      if (character === undefined || character === "\n") {
        this.#at = start;
        throw this.#error(`a string that ends with ${quote} on its line`);
      }
      this.#at += 1;
      if (character === quote) return value;
      value += character === "\\" ? this.#escape() : character;
    }
  }

  #escape(): string {
    const code = this.#take(/x[\da-fA-F]{2}|u[\da-fA-F]{4}|U[\da-fA-F]{8}/y);
    if (code !== undefined) {
      const point = Number.parseInt(code.slice(1), 16);
      if (point > 0x10ffff) throw this.#error("a character of Unicode");
      return String.fromCodePoint(point);
    }
    const octal = this.#take(/[0-7]{1,3}/y);
    if (octal !== undefined) return String.fromCodePoint(Number.parseInt(octal, 8));
    const next = this.#text[this.#at] ?? "";
    if (/[xuUN]/.test(next)) throw this.#error(`an escape after \\${next} that can be read`);
    this.#at += 1;
    // Python keeps a backslash that escapes nothing.
    return ESCAPES[next] ?? (/["'\\/]/.test(next) ? next : `\\${next}`);
  }

  /** The next character that is no blank and in no comment of Python. */
  #peek(): string {
    this.#take(/(?:[\s\uFEFF]|#[^\n]*)+/y);
    return this.#text[this.#at] ?? "";
  }

  #take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0];
    if (found !== undefined) this.#at += found.length;
    return found;
  }

  #error(expected: string): LiteralError {
    const before = this.#text.slice(0, this.#at).split("\n");
    const column = (before.at(-1) ?? "").length + 1;
    const rest = this.#text.slice(this.#at, this.#at + 12).split("\n")[0] ?? "";
    const found = this.#at >= this.#text.length ? "the end of the file" : JSON.stringify(rest);
    return new LiteralError(`line ${before.length}, column ${column} has ${found}, expected ${expected}`);
  }
}
