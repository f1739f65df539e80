/** Small files of very many parts, each kind of which keeps some decoder busy for long. */
import { chunk, png } from "./bombs.ts";

const u16 = (value: number): Buffer => Buffer.from([value >> 8, value & 255]);

/** A segment of a JPEG. */
export function segment(marker: number, body: Buffer): Buffer {
  return Buffer.concat([Buffer.from([0xff, marker]), u16(body.length + 2), body]);
}

/** So many times the same bytes. */
export function times(count: number, part: Buffer): Buffer {
  return Buffer.alloc(count * part.length, part);
}

export interface JpegParts {
  readonly width?: number;
  readonly height?: number;
  /** Scans in all, of which the first has the mean values and the others nothing. */
  readonly scans: number;
  /** What stands before the frame, between two scans, and behind the last one. */
  readonly before?: Buffer;
  readonly between?: Buffer;
  readonly end?: Buffer;
}

/** A grey progressive JPEG of one colour. */
export function jpegOfScans(given: JpegParts): Uint8Array {
  const { width = 64, height = 64, scans, before = Buffer.alloc(0), between = Buffer.alloc(0) } = given;
  const blocks = Math.ceil(width / 8) * Math.ceil(height / 8);
  const zeros = Buffer.alloc(Math.ceil(blocks / 8)); // each bit: the same mean as the block before
  const runs = runsOf(blocks);
  const codes = (kind: number, symbols: readonly number[]): Buffer =>
    segment(
      0xc4,
      Buffer.from([
        kind << 4,
        ...Array.from({ length: 16 }, (_, i) => Number(i < symbols.length)),
        ...symbols,
      ]),
    );
  return new Uint8Array(
    Buffer.concat([
      Buffer.from("ffd8", "hex"),
      before,
      segment(0xdb, Buffer.concat([Buffer.from([0]), Buffer.alloc(64, 1)])),
      segment(0xc2, Buffer.concat([Buffer.from([8]), u16(height), u16(width), Buffer.from([1, 1, 0x11, 0])])),
      codes(0, [0, 1]),
      codes(1, [0xe0, 0]),
      segment(0xda, Buffer.from([1, 1, 0, 0, 0, 0])),
      zeros,
      times(scans - 1, Buffer.concat([between, segment(0xda, Buffer.from([1, 1, 0, 1, 63, 0])), runs])),
      given.end ?? Buffer.from("ffd9", "hex"),
    ]),
  );
}

/** "No coefficients in the next 32,767 blocks", as often as there are blocks, in bits: 0 and 14 ones each. */
function runsOf(blocks: number): Buffer {
  const bits = `0${"1".repeat(14)}`.repeat(Math.ceil(blocks / 32_767));
  const padded = bits.padEnd(Math.ceil(bits.length / 8) * 8, "1");
  const bytes = Array.from({ length: padded.length / 8 }, (_, i) =>
    Number.parseInt(padded.slice(i * 8, i * 8 + 8), 2),
  );
  return Buffer.from(bytes.flatMap((byte) => (byte === 255 ? [255, 0] : [byte])));
}

const GIF_HEAD = Buffer.from("474946383961010001009100000000000000000000000000", "hex");
const GIF_PICTURE = Buffer.from("2c0000000001000100000202440100", "hex");

/** A GIF of one pixel with so many blocks before it. */
export function gifOf(blocks: Buffer): Uint8Array {
  const head = Buffer.concat([GIF_HEAD, Buffer.alloc(25 - GIF_HEAD.length)]);
  return new Uint8Array(Buffer.concat([head, blocks, GIF_PICTURE, Buffer.from([0x3b])]));
}

/** An extension of a GIF in so many parts of `size` bytes: 0xfe is a comment, 0xff an application's. */
export function extension(label: number, parts: number, size: number): Buffer {
  const part = Buffer.concat([Buffer.from([size]), Buffer.alloc(size, "a")]);
  return Buffer.concat([Buffer.from([0x21, label]), times(parts, part), Buffer.from([0])]);
}

/** A PNG of one pixel with the same chunk so many times. */
export function pngOf(count: number, name: string, body: Buffer): Uint8Array {
  return png(times(count, chunk(name, body)));
}

/** A WebP of the same chunk so many times, with or without something behind it. */
export function webpOf(count: number, name: string, behind = 0): Uint8Array {
  const riff = (called: string, length: number): Buffer => {
    const one = Buffer.alloc(8 + length);
    one.write(called, 0, "latin1");
    one.writeUInt32LE(length, 4);
    return one;
  };
  const body = Buffer.concat([riff("VP8X", 10), times(count, riff(name, 16))]);
  const head = Buffer.from("524946460000000057454250", "hex");
  head.writeUInt32LE(4 + body.length, 4);
  return new Uint8Array(Buffer.concat([head, body, Buffer.alloc(behind)]));
}

/** An ICO whose directory has so many pictures. */
export function icoOf(count: number): Uint8Array {
  const head = Buffer.from("000001000000", "hex");
  head.writeUInt16LE(count, 4);
  return new Uint8Array(Buffer.concat([head, Buffer.alloc(16 * count, 1)]));
}

/** A grey TIFF with so many strips, all of them the same bytes. */
export function tiffOf(strips: number, big = false): Uint8Array {
  const entries: [tag: number, count: number, value: number][] = [
    [256, 1, 4],
    [257, 1, 4],
    [273, strips, 0],
    [279, strips, 0],
  ];
  const start = big ? 16 : 8;
  const table = start + (big ? 8 + 20 * entries.length + 8 : 2 + 12 * entries.length + 4);
  const view = Buffer.alloc(table + 8 * strips);
  view.write(big ? "II+\0" : "II*\0", "latin1");
  if (big) {
    view.writeUInt16LE(8, 4);
    view.writeBigUInt64LE(16n, 8);
    view.writeBigUInt64LE(BigInt(entries.length), start);
  } else {
    view.writeUInt32LE(8, 4);
    view.writeUInt16LE(entries.length, start);
  }
  entries.forEach(([tag, count, value], i) => {
    const at = start + (big ? 8 + 20 * i : 2 + 12 * i);
    view.writeUInt16LE(tag, at);
    view.writeUInt16LE(4, at + 2);
    view.writeUInt32LE(count, at + 4);
    view.writeUInt32LE(count === 1 ? value : table, at + (big ? 12 : 8));
  });
  return new Uint8Array(view);
}

/** A JPEG 2000 of so many boxes of 8 bytes behind its signature. */
export function jp2Of(boxes: number): Uint8Array {
  const signature = Buffer.from("0000000c6a5020200d0a870a", "hex");
  return new Uint8Array(Buffer.concat([signature, times(boxes, Buffer.from("0000000866726565", "hex"))]));
}
