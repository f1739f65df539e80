/**
 * GPT-2's names for bytes: each of the 256 has a character that can be seen, so that a vocabulary is a text file. A blank is
 * `Ġ`, a line end `Ċ`.
 */

/** Bytes whose own character in Latin-1 is to be seen: they stand for themselves. */
const SEEN: readonly (readonly [first: number, last: number])[] = [
  [0x21, 0x7e],
  [0xa1, 0xac],
  [0xae, 0xff],
];
/** The others have the characters from here on. */
const FIRST_OTHER = 256;

/** The 256 bytes in the order in which GPT-2 numbers them: those that are seen, then the others. */
export const BYTE_ORDER: readonly number[] = byteOrder();

/** The letter of each byte. */
const LETTERS: readonly string[] = letters();

const BYTES: ReadonlyMap<string, number> = new Map(LETTERS.map((letter, byte) => [letter, byte]));

function byteOrder(): number[] {
  const isSeen = (byte: number): boolean => SEEN.some(([first, last]) => byte >= first && byte <= last);
  const all = Array.from({ length: 256 }, (_, byte) => byte);
  return [...all.filter(isSeen), ...all.filter((byte) => !isSeen(byte))];
}

function letters(): string[] {
  const found: string[] = [];
  const isSeen = (byte: number): boolean => SEEN.some(([first, last]) => byte >= first && byte <= last);
  const others = BYTE_ORDER.filter((byte) => !isSeen(byte));
  for (const byte of BYTE_ORDER)
    found[byte] = String.fromCharCode(isSeen(byte) ? byte : FIRST_OTHER + others.indexOf(byte));
  return found;
}

/** Bytes as GPT-2 writes them. */
export function lettersOf(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += LETTERS[byte];
  return text;
}

/** The bytes that are written so; `undefined` where some character stands for none. */
export function bytesOf(text: string): Uint8Array | undefined {
  const bytes = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at += 1) {
    const byte = BYTES.get(text.charAt(at));
    if (byte === undefined) return undefined;
    bytes[at] = byte;
  }
  return bytes;
}
