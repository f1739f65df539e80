/**
 * Names of files whose bytes are not UTF-8, as an archive from a Chinese Windows leaves them on Linux. As in Python
 * (`os.fsdecode`), such a byte B stands in a name as the lone surrogate U+DC00 + B, which no text has otherwise: the name
 * is a string like any other, and its bytes can be had back.
 */
import { isUtf8 } from "node:buffer";
import { hasBytes } from "./shown-name.ts";

export { hasBytes, shownName } from "./shown-name.ts";

const ESCAPE = 0xdc00;
const LONGEST_CHARACTER = 4;

/** The name that bytes stand for. */
export function nameOf(bytes: Uint8Array): string {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (isUtf8(buffer)) return buffer.toString("utf8");
  let name = "";
  for (let at = 0; at < buffer.length;) {
    const character = characterAt(buffer, at);
    name += character?.toString("utf8") ?? String.fromCharCode(ESCAPE + (buffer[at] ?? 0));
    at += character?.length ?? 1;
  }
  return name;
}

/** What the file system is asked for: the name, or its bytes where it is not text. */
export function pathOf(name: string): string | Buffer {
  if (process.platform === "win32" || !hasBytes(name)) return name;
  const pieces = name.split(/([\udc80-\udcff])/u);
  return Buffer.concat(
    pieces.map((piece) =>
      hasBytes(piece) ? Buffer.from([piece.charCodeAt(0) - ESCAPE]) : Buffer.from(piece, "utf8"),
    ),
  );
}

/** The bytes of the character that begins here; `undefined` where none does. */
function characterAt(buffer: Buffer, at: number): Buffer | undefined {
  for (let length = 1; length <= LONGEST_CHARACTER; length += 1) {
    const piece = buffer.subarray(at, at + length);
    if (isUtf8(piece)) return piece;
  }
  return undefined;
}
