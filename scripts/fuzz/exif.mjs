// Blocks of EXIF, mostly sound, with entries that versions of Pillow may see differently.

const TAGS = [
  0x0112, 0x010f, 0x0110, 0x0131, 0x0132, 0x011a, 0x011b, 0x0128, 0x0213, 0x8769, 0x8825, 0x0100, 0xc4a5,
  0x9c9b,
];
const SIZES = [1, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4];
const USUAL = {
  0x010f: 2,
  0x0110: 2,
  0x0131: 2,
  0x0132: 2,
  0x011a: 5,
  0x011b: 5,
  0x8769: 4,
  0x8825: 4,
  0x0100: 4,
};
const INNER = {
  0x8769: [
    0x829a, 0x829d, 0x8822, 0x8827, 0x9000, 0x9003, 0x9010, 0x9102, 0x9201, 0x9204, 0x9207, 0x9214, 0x927c,
    0x9286,
  ],
  0x8825: [0, 1, 2, 5, 6, 7, 0x12, 0x1b, 0x1d, 0x1e, 0x1f],
  0xa005: [1, 2],
};
INNER[0x8769].push(0x9290, 0xa001, 0xa002, 0xa005, 0xa20e, 0xa300, 0xa402, 0xa405, 0xa432, 0xa434, 0xa460);
const INNER_USUAL = {
  0x829a: 5,
  0x829d: 5,
  0x9000: 7,
  0x9003: 2,
  0x9010: 2,
  0x9102: 5,
  0x9201: 10,
  0x9204: 10,
  0x927c: 7,
};
Object.assign(INNER_USUAL, {
  0x9286: 7,
  0x9290: 2,
  0xa002: 4,
  0xa005: 4,
  0xa20e: 5,
  0xa300: 7,
  0xa432: 5,
  0xa434: 2,
});
Object.assign(INNER_USUAL, { 0: 1, 1: 2, 2: 5, 5: 1, 6: 5, 7: 5, 0x12: 2, 0x1b: 7, 0x1d: 2, 0x1f: 5 });

/** A TIFF block; `clean` has nothing odd in it. */
export function exifBlock(random, clean = random.next() < 0.5) {
  const little = random.next() < 0.5;
  const parts = [];
  const u16 = (value) => number(value, 2, little);
  const u32 = (value) => number(value, 4, little);
  const odd = (chance) => !clean && random.next() < chance;
  const oneOf = (usual) => (odd(0.1) ? random.integer(0, 14) : usual);
  let end = 8;
  const put = (body) => {
    const at = end;
    parts.push(body);
    end += body.length;
    return at;
  };
  const directory = (tags, usual, next) => {
    const values = tags.map((tag) => {
      const type = oneOf(usual[tag] ?? 3);
      const inner =
        INNER[tag] && !odd(0.1)
          ? directory(
              INNER[tag].filter(() => random.next() < 0.6),
              INNER_USUAL,
              0,
            )
          : 0;
      const plain = tag === 0x0112 || INNER[tag] || (RESOLUTION.has(tag) && !odd(0.2));
      const count = odd(0.08)
        ? random.edge(70_000)
        : plain
          ? 1
          : type === 2 || type === 7
            ? 9
            : random.integer(1, 3);
      const size = (SIZES[type] ?? 1) * count;
      const one =
        tag === 0x0112 ? (odd(0.2) ? random.edge(255) : random.integer(1, 8)) : random.integer(0, 300);
      let value =
        type === 3
          ? Buffer.concat([u16(one), u16(random.integer(0, 9))])
          : type === 1
            ? Buffer.of(one, 0, 0, 0)
            : u32(one);
      if (inner) value = u32(inner);
      else if (size > 4)
        value = u32(
          odd(0.05)
            ? random.edge(0x7fffffff)
            : put(type === 2 ? Buffer.alloc(Math.min(size, 999), 65) : random.bytes(Math.min(size, 999))),
        );
      return Buffer.concat([u16(tag), u16(type), u32(count), value]);
    });
    const entries = Buffer.concat(values);
    return put(Buffer.concat([u16(odd(0.05) ? random.edge(40) : tags.length), entries, u32(next)]));
  };
  const tags = TAGS.filter(() => random.next() < 0.4);
  if (odd(0.2)) tags.push(0x0112);
  if (clean && random.next() < 0.7 && !tags.includes(0x0112)) tags.push(0x0112);
  const thumbnail =
    random.next() < 0.2 ? directory([0x0103, 0x011a], { 0x011a: 5 }, 0) : odd(0.1) ? random.edge(500) : 0;
  const first = directory(clean ? tags.filter((tag) => tag < 0x9000) : tags, USUAL, thumbnail);
  const magic = odd(0.1)
    ? random.pick(["II\0*", "MM*\0", "II+\0", "MM\0+", "XX*\0"])
    : little
      ? "II*\0"
      : "MM\0*";
  return Buffer.concat([Buffer.from(magic, "latin1"), u32(odd(0.05) ? random.edge(end) : first), ...parts]);
}

const RESOLUTION = new Set([0x011a, 0x011b, 0x0128]);

function number(value, bytes, little) {
  const out = Buffer.alloc(bytes);
  if (little) out.writeUIntLE(value, 0, bytes);
  else out.writeUIntBE(value, 0, bytes);
  return out;
}

/** An XMP packet with an orientation, written in one of two ways. */
export function xmpPacket(random) {
  const value = random.integer(0, 9);
  const written = random.pick([
    `tiff:Orientation="${value}"`,
    `><tiff:Orientation>${value}</tiff:Orientation>`,
  ]);
  return Buffer.from(`<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description ${written}/></x:xmpmeta>`);
}
