/** Tables that a segment defines, by name: `q0` to `q3`, `dc0` to `dc3`, `ac0` to `ac3`; undefined where it is not sound. */
export function tablesOf(marker: number, body: Buffer): string[] | undefined {
  return marker === 0xdb ? quantisers(body) : codes(body);
}

/** DQT, of 8 bits alone. */
function quantisers(body: Buffer): string[] | undefined {
  const found: string[] = [];
  for (let at = 0; at < body.length; at += 65) {
    const slot = body.readUInt8(at);
    if (slot > 3 || at + 65 > body.length) return undefined;
    found.push(`q${slot}`);
  }
  return found;
}

/** DHT. */
function codes(body: Buffer): string[] | undefined {
  const found: string[] = [];
  for (let at = 0; at < body.length;) {
    const [kind, slot] = [body.readUInt8(at) >> 4, body.readUInt8(at) & 15];
    const count = body.subarray(at + 1, at + 17).reduce((sum, value) => sum + value, 0);
    if (kind > 1 || slot > 3 || count > 256 || at + 17 + count > body.length) return undefined;
    found.push(`${kind === 0 ? "dc" : "ac"}${slot}`);
    at += 17 + count;
  }
  return found;
}
