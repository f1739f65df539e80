/** Text in the encodings that `TextEncoder` does not have. */
const tables = new Map<string, Map<string, readonly number[]>>();

/** A text as GBK, Big5, EUC-KR or EUC-JP, by all that `TextDecoder` makes of two bytes. */
export function encoded(text: string, encoding: "gb18030" | "big5" | "euc-kr" | "euc-jp"): Buffer {
  const table = tables.get(encoding) ?? tableOf(encoding);
  tables.set(encoding, table);
  const bytes = Array.from(text).flatMap((character) => {
    const found = character < "\x80" ? [character.charCodeAt(0)] : table.get(character);
    if (found === undefined) throw new Error(`${encoding} has no ${character}`);
    return found;
  });
  return Buffer.from(bytes);
}

function tableOf(encoding: string): Map<string, readonly number[]> {
  const decoder = new TextDecoder(encoding);
  const table = new Map<string, readonly number[]>();
  for (let lead = 0x81; lead < 0xff; lead++) {
    for (let trail = 0x40; trail < 0xff; trail++) {
      const character = decoder.decode(Uint8Array.of(lead, trail));
      if (Array.from(character).length === 1 && !table.has(character)) table.set(character, [lead, trail]);
    }
  }
  return table;
}

/** A text as UTF-16, without a byte order mark. */
export function utf16(text: string, order: "le" | "be"): Buffer {
  const bytes = Buffer.from(text, "utf16le");
  return order === "le" ? bytes : bytes.swap16();
}
