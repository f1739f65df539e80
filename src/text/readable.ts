/** Tokens for people. */

/** Bytes as text. Those that are part of a character, or of none, stand as `<E7>`. */
export function readable(bytes: Uint8Array): string {
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  let text = "";
  for (let at = 0; at < bytes.length;) {
    const size = sizeOf(bytes[at] ?? 0);
    try {
      text += decoder.decode(bytes.subarray(at, at + size));
      at += size;
    } catch {
      text += `<${(bytes[at] ?? 0).toString(16).toUpperCase().padStart(2, "0")}>`;
      at += 1;
    }
  }
  return text;
}

/** Bytes of the character that begins with this one. */
function sizeOf(first: number): number {
  if (first < 0xc0) return 1;
  if (first < 0xe0) return 2;
  return first < 0xf0 ? 3 : 4;
}
