/** PNG files, 8-bit grey or RGB, for images inside a report. Format: PNG specification, ISO/IEC 15948. */
import { deflateSync } from "node:zlib";

/** Pixels to write: one byte each for grey, three for RGB, rows from the top. */
export interface Bitmap {
  readonly data: Uint8Array;
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3;
}

const SIGNATURE = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);
/** The filter that takes the row above away: photographs shrink by a third with it. */
const UP = 2;

/** The file's bytes. */
export function writePng({ data, width, height, channels }: Bitmap): Uint8Array {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, channels === 1 ? 0 : 2], 8);
  const rows = deflateSync(filtered(data, width * channels, height));
  return Buffer.concat([
    SIGNATURE,
    chunk("IHDR", header),
    chunk("IDAT", rows),
    chunk("IEND", Buffer.alloc(0)),
  ]);
}

/** The picture as a `data:` URI. */
export function pngUri(bitmap: Bitmap): string {
  return `data:image/png;base64,${Buffer.from(writePng(bitmap)).toString("base64")}`;
}

function filtered(data: Uint8Array, stride: number, height: number): Uint8Array {
  const out = new Uint8Array((stride + 1) * height);
  for (let y = 0; y < height; y++) {
    const target = y * (stride + 1);
    out[target] = UP;
    for (let x = 0; x < stride; x++) {
      const above = y === 0 ? 0 : data[(y - 1) * stride + x]!;
      out[target + 1 + x] = data[y * stride + x]! - above;
    }
  }
  return out;
}

function chunk(type: string, data: Uint8Array): Buffer {
  const out = Buffer.alloc(data.length + 12);
  out.writeUInt32BE(data.length, 0);
  out.write(type, 4, "latin1");
  out.set(data, 8);
  out.writeUInt32BE(crc32(out.subarray(4, data.length + 8)), data.length + 8);
  return out;
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let rest = byte;
  for (let bit = 0; bit < 8; bit++) rest = rest & 1 ? (rest >>> 1) ^ 0xed_b8_83_20 : rest >>> 1;
  return rest;
});

/** `zlib.crc32` came with Node 22; this runs on 20 too. */
function crc32(data: Uint8Array): number {
  let rest = 0xff_ff_ff_ff;
  for (const byte of data) rest = CRC_TABLE[(rest ^ byte) & 0xff]! ^ (rest >>> 8);
  return (rest ^ 0xff_ff_ff_ff) >>> 0;
}
