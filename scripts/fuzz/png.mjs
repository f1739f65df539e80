// Mutations of PNG files; checksums are right unless a mutation is about them.
import { crc32, deflateSync, inflateSync } from "node:zlib";
import { exifBlock, xmpPacket } from "./exif.mjs";
import { changedByte, changeParts, damage } from "./random.mjs";

function parse(bytes) {
  const chunks = [];
  for (let at = 8; at + 12 <= bytes.length;) {
    const length = bytes.readUInt32BE(at);
    chunks.push({
      name: bytes.toString("latin1", at + 4, at + 8),
      body: bytes.subarray(at + 8, at + 8 + length),
    });
    at += 12 + length;
  }
  return chunks;
}

function join(chunks) {
  const all = chunks.map(({ name, body, wrong }) => {
    const out = Buffer.alloc(12 + body.length);
    out.writeUInt32BE(body.length, 0);
    out.write(name, 4, "latin1");
    body.copy(out, 8);
    out.writeUInt32BE((crc32(out.subarray(4, -4)) ^ (wrong ? 1 : 0)) >>> 0, out.length - 4);
    return out;
  });
  return Buffer.concat([Buffer.from("89504e470d0a1a0a", "hex"), ...all]);
}

const KEYS = [
  "Title",
  "Comment",
  "comment",
  "parameters",
  "exif",
  "xmp",
  "interlace",
  "transparency",
  "icc_profile",
  "bbox",
  "gamma",
];
KEYS.push(
  "XML:com.adobe.xmp",
  "Raw profile type exif",
  "date:create",
  "default_image",
  "loop",
  "dpi",
  "",
  "k".repeat(80),
);

/** A chunk that some program, or none, writes. */
function freshChunk(random) {
  const key = random.pick(KEYS);
  const raw = () =>
    `\nexif\n      34\n${Buffer.concat([Buffer.from("Exif\0\0"), exifBlock(random)]).toString("hex")}\n`;
  const value =
    key.startsWith("XML") || key === "xmp"
      ? xmpPacket(random)
      : key.startsWith("Raw")
        ? Buffer.from(raw())
        : random.bytes(random.integer(0, 40));
  const packed = random.pick([
    () => deflateSync(value),
    () => deflateSync(value),
    () => changedByte(random, deflateSync(value)),
    () => deflateSync(value).subarray(0, -3),
    () => Buffer.concat([deflateSync(value), random.bytes(2)]),
  ])();
  const name = Buffer.from(`${key}\0`, "latin1");
  const method = Buffer.of(random.pick([0, 0, 0, 0, 1]));
  const sizes = {
    gAMA: 4,
    cHRM: 32,
    sRGB: 1,
    pHYs: 9,
    tIME: 7,
    cICP: 4,
    bKGD: 2,
    hIST: 6,
    sBIT: 3,
    oFFs: 9,
    sTER: 1,
    tRNS: 2,
    PLTE: 6,
    acTL: 8,
    fcTL: 26,
    fdAT: 12,
    IDAT: 0,
    IHDR: 13,
    IEND: 0,
    iDOT: 28,
    vpAg: 9,
    abCd: 5,
    zzZZ: 3,
    1234: 2,
  };
  const any = random.pick(Object.keys(sizes));
  const off = random.next() < 0.2 ? random.integer(-2, 9) : 0;
  return random.pick([
    () => ({ name: "tEXt", body: Buffer.concat([name, value]) }),
    () => ({ name: "zTXt", body: Buffer.concat([name, method, packed]) }),
    () => ({ name: "iTXt", body: Buffer.concat([name, Buffer.of(0, 0), Buffer.from("\0\0"), value]) }),
    () => ({
      name: "iTXt",
      body: Buffer.concat([name, Buffer.of(random.pick([1, 1, 2])), method, Buffer.from("\0\0"), packed]),
    }),
    () => ({ name: "iCCP", body: Buffer.concat([name, method, packed]) }),
    () => ({ name: "eXIf", body: exifBlock(random) }),
    () => ({ name: "eXIf", body: exifBlock(random) }),
    () => ({
      name: any,
      body:
        random.next() < 0.5
          ? Buffer.alloc(Math.max(0, sizes[any] + off))
          : random.bytes(Math.max(0, sizes[any] + off)),
    }),
    () => ({ name: any, body: random.bytes(Math.max(0, sizes[any] + off)) }),
  ])();
}

/** Changes in the pixel data or in how it is packed. */
function changeData(random, chunks) {
  const first = chunks.findIndex(({ name }) => name === "IDAT");
  if (first < 0) return chunks;
  const data = Buffer.concat(chunks.filter(({ name }) => name === "IDAT").map(({ body }) => body));
  const rest = chunks.filter(({ name }) => name !== "IDAT");
  let raw = Buffer.alloc(40);
  try {
    raw = inflateSync(data);
  } catch {
    // An earlier mutation may have broken it.
  }
  const packed = random.pick([
    () => deflateSync(changedByte(random, raw)),
    () => deflateSync(changedByte(random, raw)),
    () => deflateSync(raw.subarray(0, raw.length - random.integer(1, 60))),
    () => deflateSync(Buffer.concat([raw, random.bytes(random.integer(1, 60))])),
    () => changedByte(random, data),
    () => changedByte(random, data, Math.max(0, data.length - 4)),
    () => data.subarray(0, data.length - random.integer(1, 9)),
    () => Buffer.concat([data, random.bytes(random.integer(1, 9))]),
    () => deflateSync(raw, { level: random.integer(0, 9), windowBits: random.integer(9, 15) }),
    () => data,
  ])();
  const cut = random.integer(0, packed.length);
  const parts = random.pick([
    [packed],
    [packed.subarray(0, cut), packed.subarray(cut)],
    [Buffer.alloc(0), packed],
    [packed, Buffer.alloc(0)],
  ]);
  return [...rest.slice(0, first), ...parts.map((body) => ({ name: "IDAT", body })), ...rest.slice(first)];
}

function changeHeader(random, chunks) {
  return chunks.map((chunk) => {
    if (chunk.name !== "IHDR" || chunk.body.length < 13) return chunk;
    const body = Buffer.from(chunk.body);
    random.pick([
      () => body.writeUInt32BE(random.pick([0, 1, 24, 26, 0x7fffffff, 30_000]), random.pick([0, 4])),
      () => (body[8] = random.pick([1, 2, 4, 8, 16, 3])),
      () => (body[9] = random.pick([0, 2, 3, 4, 6, 1])),
      () => (body[random.integer(10, 12)] = random.integer(0, 3)),
    ])();
    return { ...chunk, body };
  });
}

/** Palette or transparency of another length. */
function changePalette(random, chunks) {
  const name = random.pick(["PLTE", "PLTE", "tRNS"]);
  return chunks.map((chunk) => {
    if (chunk.name !== name) return chunk;
    const length = random.pick([
      0,
      1,
      2,
      3,
      6,
      9,
      48,
      51,
      255,
      256,
      257,
      768,
      771,
      chunk.body.length - 3,
      chunk.body.length + 3,
    ]);
    const body = Buffer.concat([chunk.body, random.bytes(780)]).subarray(0, Math.max(0, length));
    return { ...chunk, body };
  });
}

/** One mutation of a PNG file. */
export function mutatePng(random, bytes) {
  const chunks = parse(bytes);
  const at = random.integer(0, chunks.length);
  const withBody = (chunk, body) => ({ ...chunk, body });
  const insert = () => [...chunks.slice(0, at), freshChunk(random), ...chunks.slice(at)];
  const changed = random.pick([
    insert,
    insert,
    insert,
    () => changeParts(random, chunks, ({ body }) => body, withBody),
    () => changeParts(random, chunks, ({ body }) => body, withBody),
    () => changeData(random, chunks),
    () => changeData(random, chunks),
    () => changeHeader(random, chunks),
    () => changePalette(random, chunks),
    () => chunks.map((chunk, i) => (i === at ? { ...chunk, wrong: true } : chunk)),
    () => undefined,
  ])();
  return changed ? join(changed) : damage(random, bytes);
}
