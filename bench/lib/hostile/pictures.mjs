// Pictures that are small to send and dear to decode.
import { deflateSync } from "node:zlib";

/** A byte string of bits; every 0xff is followed by a zero, as in a JPEG's scan. */
function packed(bits) {
  const bytes = [];
  for (let at = 0; at < bits.length; at += 8) {
    const byte = Number.parseInt(bits.slice(at, at + 8).padEnd(8, "1"), 2);
    bytes.push(byte, ...(byte === 0xff ? [0] : []));
  }
  return Buffer.from(bytes);
}

function segment(marker, ...content) {
  const body = Buffer.concat(content.map((part) => Buffer.from(part)));
  const head = Buffer.from([0xff, marker, 0, 0]);
  head.writeUInt16BE(body.length + 2, 2);
  return Buffer.concat([head, body]);
}

/** A grey progressive JPEG whose scans say nothing: each makes the decoder go through all blocks again. */
export function scans({ side = 2_048, count = 4_000 } = {}) {
  const blocks = Math.ceil(side / 8) ** 2;
  const size = [side >> 8, side & 255];
  const lengths = (number) => Array.from({ length: 16 }, (_, at) => (at < number ? 1 : 0));
  const firstScan = [segment(0xda, [1, 1, 0x00, 0, 0, 0]), packed("0".repeat(blocks))];
  // One symbol says "no coefficient" for up to 32,767 blocks.
  const runs = Math.ceil(blocks / 32_767);
  const empty = Buffer.concat([
    segment(0xda, [1, 1, 0x00, 1, 63, 0]),
    packed(`0${"1".repeat(14)}`.repeat(runs)),
  ]);
  return Buffer.concat([
    Buffer.from([0xff, 0xd8]),
    segment(
      0xdb,
      [0],
      Array.from({ length: 64 }, () => 1),
    ),
    segment(0xc2, [8, ...size, ...size, 1, 1, 0x11, 0]),
    segment(0xc4, [0x00], lengths(2), [0, 1]),
    segment(0xc4, [0x10], lengths(2), [0xe0, 0x00]),
    ...firstScan,
    ...Array.from({ length: count }, () => empty),
    Buffer.from([0xff, 0xd9]),
  ]);
}

/** A GIF of 10 × 10 whose comment comes in pieces of one byte. */
export function comments({ pieces = 1_000_000 } = {}) {
  const screen = Buffer.from([10, 0, 10, 0, 0x91, 0, 0, ...Array.from({ length: 12 }, () => 0)]);
  const picture = Buffer.from(
    "2c000000000a000a000002168c2d99872a1cdc33a00275ec95faa8de608c04914c0100",
    "hex",
  );
  const comment = Buffer.concat([
    Buffer.from([0x21, 0xfe]),
    Buffer.from("\u0001a".repeat(pieces)),
    Buffer.from([0]),
  ]);
  return Buffer.concat([Buffer.from("GIF89a"), screen, comment, picture, Buffer.from([0x3b])]);
}

/** A black PNG that is one pixel wide: a row, and its filter, for each pixel. */
export function tower({ height = 50_000_000 } = {}) {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(1, 0);
  header.writeUInt32BE(height, 4);
  header[8] = 1; // one bit of grey
  const chunk = (type, content) => {
    const body = Buffer.concat([Buffer.from(type), content]);
    const frame = Buffer.alloc(8);
    frame.writeUInt32BE(content.length, 0);
    frame.writeUInt32BE(crc(body), 4);
    return Buffer.concat([frame.subarray(0, 4), body, frame.subarray(4)]);
  };
  const pixels = deflateSync(Buffer.alloc(2 * height), { level: 9 });
  const signature = Buffer.from("89504e470d0a1a0a", "hex");
  const chunks = [chunk("IHDR", header), chunk("IDAT", pixels), chunk("IEND", Buffer.alloc(0))];
  return Buffer.concat([signature, ...chunks]);
}

function crc(bytes) {
  let value = 0xffffffff;
  for (const byte of bytes) {
    value ^= byte;
    for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  }
  return (value ^ 0xffffffff) >>> 0;
}
