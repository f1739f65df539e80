/** Values as Python's prompt shows them: `repr()` of a str, and of lists and tuples. */

/** `repr()` of a str: single quotes, double ones where only a single quote occurs inside. */
export function reprText(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  return quote + Array.from(text, (character) => escaped(character, quote)).join("") + quote;
}

/** `repr()` of bytes. */
export function reprBytes(bytes: Iterable<number>): string {
  const all = [...bytes];
  const has = (character: string): boolean => all.includes(character.charCodeAt(0));
  const quote = has("'") && !has('"') ? '"' : "'";
  const written = all.map((byte) => {
    if (byte >= 0x7f || byte < 0x20) return NAMED[String.fromCharCode(byte)] ?? hexOf(byte);
    const character = String.fromCharCode(byte);
    return character === quote || character === "\\" ? `\\${character}` : character;
  });
  return `b${quote}${written.join("")}${quote}`;
}

function hexOf(byte: number): string {
  return `\\x${byte.toString(16).padStart(2, "0")}`;
}

/** `repr()` of a list, of items that are written already. */
export function reprList(items: readonly string[]): string {
  return `[${items.join(", ")}]`;
}

/** `repr()` of a tuple, of items that are written already. */
export function reprTuple(items: readonly string[]): string {
  return `(${items.join(", ")}${items.length === 1 ? "," : ""})`;
}

const NAMED: Readonly<Record<string, string>> = { "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t" };

function escaped(character: string, quote: string): string {
  if (character === quote) return `\\${character}`;
  const named = NAMED[character];
  if (named !== undefined) return named;
  if (character === " " || !/[\p{C}\p{Z}]/u.test(character)) return character;
  const code = character.codePointAt(0) ?? 0;
  const hex = code.toString(16);
  if (code <= 0xff) return `\\x${hex.padStart(2, "0")}`;
  return code <= 0xffff ? `\\u${hex.padStart(4, "0")}` : `\\U${hex.padStart(8, "0")}`;
}
