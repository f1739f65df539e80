// Mutations of WebP files; lengths are right unless a mutation is about them.
import { exifBlock, xmpPacket } from "./exif.mjs";
import { changedByte, changeParts, damage } from "./random.mjs";

function parse(bytes) {
  const chunks = [];
  for (let at = 12; at + 8 <= bytes.length;) {
    const length = bytes.readUInt32LE(at + 4);
    chunks.push({
      name: bytes.toString("latin1", at, at + 4),
      body: bytes.subarray(at + 8, at + 8 + length),
    });
    at += 8 + length + (length % 2);
  }
  return chunks;
}

function join(chunks, more = 0) {
  const all = chunks.map(({ name, body, length, pad }) => {
    const head = Buffer.alloc(8);
    head.write(name, 0, "latin1");
    head.writeUInt32LE((length ?? body.length) >>> 0, 4);
    return Buffer.concat([head, body, body.length % 2 ? Buffer.of(pad ?? 0) : Buffer.alloc(0)]);
  });
  const rest = Buffer.concat([Buffer.from("WEBP"), ...all]);
  const head = Buffer.from("RIFF\0\0\0\0");
  head.writeUInt32LE(Math.max(0, rest.length + more), 4);
  return Buffer.concat([head, rest]);
}

/** Width and height of the picture, whether it has alpha. */
function sizeOf(chunks) {
  const lossy = chunks.find(({ name }) => name === "VP8 ")?.body;
  const lossless = chunks.find(({ name }) => name === "VP8L")?.body;
  const alpha = chunks.some(({ name }) => name === "ALPH");
  if (lossy && lossy.length > 9)
    return { width: lossy.readUInt16LE(6) & 0x3fff, height: lossy.readUInt16LE(8) & 0x3fff, alpha };
  if (!lossless || lossless.length < 5) return { width: 1, height: 1, alpha };
  const bits = lossless.readUInt32LE(1);
  return {
    width: (bits & 0x3fff) + 1,
    height: ((bits >>> 14) & 0x3fff) + 1,
    alpha: (bits & 0x10000000) !== 0,
  };
}

/** The picture with VP8X and any of profile, EXIF and XMP; flags that match, unless `wrong`. */
function extended(random, chunks, wrong) {
  const picture = chunks.filter(({ name }) => ["ALPH", "VP8 ", "VP8L"].includes(name));
  const { width, height, alpha } = sizeOf(chunks);
  const chance = () => random.next() < 0.4;
  const profile = chance() ? [{ name: "ICCP", body: random.bytes(random.integer(1, 60)) }] : [];
  const prefix = chance() ? Buffer.from("Exif\0\0") : Buffer.alloc(0);
  const exif =
    chance() || chance() ? [{ name: "EXIF", body: Buffer.concat([prefix, exifBlock(random)]) }] : [];
  const xmp = random.next() < 0.2 ? [{ name: "XMP ", body: xmpPacket(random) }] : [];
  const body = Buffer.alloc(10);
  body[0] = (profile.length ? 0x20 : 0) | (alpha ? 0x10 : 0) | (exif.length ? 8 : 0) | (xmp.length ? 4 : 0);
  body.writeUIntLE(Math.max(0, width - 1), 4, 3);
  body.writeUIntLE(Math.max(0, height - 1), 7, 3);
  return [
    { name: "VP8X", body: wrong ? changedByte(random, body) : body },
    ...profile,
    ...picture,
    ...exif,
    ...xmp,
  ];
}

function changeData(random, chunks) {
  const names = random.next() < 0.3 ? ["ALPH"] : ["VP8 ", "VP8L"];
  return chunks.map((chunk) => {
    if (!names.includes(chunk.name) || chunk.body.length < 12) return chunk;
    const body = random.pick([
      () => changedByte(random, chunk.body),
      () => changedByte(random, chunk.body),
      () => chunk.body.subarray(0, chunk.body.length - random.integer(1, 20)),
      () => Buffer.concat([chunk.body, random.bytes(random.integer(1, 9))]),
    ])();
    return { ...chunk, body };
  });
}

/** One mutation of a WebP file. */
export function mutateWebp(random, bytes) {
  const chunks = parse(bytes);
  const at = random.integer(0, chunks.length);
  const fresh = {
    name: random.pick(["XYZW", "EXIF", "ICCP", "XMP ", "ALPH", "ANIM", "VP8 ", "VP8X", "VP8L"]),
    body: random.bytes(random.integer(0, 20)),
  };
  const withBody = (chunk, body) => ({ ...chunk, body });
  const changed = random.pick([
    () => extended(random, chunks, false),
    () => extended(random, chunks, false),
    () => extended(random, chunks, true),
    () => changeParts(random, extended(random, chunks, false), ({ body }) => body, withBody),
    () => changeParts(random, chunks, ({ body }) => body, withBody),
    () => changeData(random, chunks),
    () => changeData(random, chunks),
    () => [...chunks.slice(0, at), fresh, ...chunks.slice(at)],
    () =>
      chunks.map((chunk, i) =>
        i === at ? { ...chunk, length: chunk.body.length + random.integer(-2, 2), pad: 7 } : chunk,
      ),
    () => undefined,
  ])();
  if (!changed) return damage(random, bytes);
  return join(changed, random.next() < 0.1 ? random.integer(-4, 4) : 0);
}
