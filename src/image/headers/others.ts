import type { ImageFormat } from "../sniff.ts";
import { type HeaderFacts, leftToPillow } from "./facts.ts";
import { ppm } from "./ppm.ts";

/** Zeros where the size cannot be told for sure: Pillow has the word on it. */
type Shape = Pick<HeaderFacts, "width" | "height" | "mode">;

/** The formats that Pillow alone decodes. */
export type OtherFormat = Exclude<ImageFormat, "jpeg" | "png" | "webp">;

const UNKNOWN: Shape = { width: 0, height: 0, mode: undefined };

const SHAPES: Record<OtherFormat, { name: string; read: (view: Buffer) => Shape }> = {
  gif: { name: "GIF", read: gif },
  bmp: { name: "BMP", read: bmp },
  tiff: { name: "TIFF", read: tiff },
  ico: { name: "ICO", read: ico },
  ppm: { name: "PPM", read: ppm },
  jp2: { name: "JPEG 2000", read: jp2 },
};

/** What reads the size in the header of a format that Pillow alone decodes. It refuses nothing. */
export function otherHeaderReader(format: OtherFormat): (bytes: Uint8Array) => HeaderFacts {
  const { name, read } = SHAPES[format];
  return (bytes) => {
    const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    return leftToPillow(`${name} is decoded by Pillow`, shapeOf(view, read));
  };
}

function shapeOf(view: Buffer, read: (view: Buffer) => Shape): Shape {
  try {
    const shape = read(view);
    return shape.width > 0 && shape.height > 0 ? shape : UNKNOWN;
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    return UNKNOWN;
  }
}

function gif(view: Buffer): Shape {
  return { width: view.readUInt16LE(6), height: view.readUInt16LE(8), mode: "P" };
}

/** The sizes of the information headers that a BMP may have: `BM` alone could also start a sentence. */
const BMP_HEADERS = new Set([12, 40, 52, 56, 64, 108, 124]);

function bmp(view: Buffer): Shape {
  if (!BMP_HEADERS.has(view.readUInt32LE(14))) return UNKNOWN;
  if (view.readUInt32LE(14) === 12) {
    return {
      width: view.readUInt16LE(18),
      height: view.readUInt16LE(20),
      mode: bmpMode(view.readUInt16LE(24)),
    };
  }
  const [width, height] = [view.readInt32LE(18), view.readInt32LE(22)];
  return { width, height: Math.abs(height), mode: bmpMode(view.readUInt16LE(28)) };
}

function bmpMode(bits: number): string | undefined {
  // 32 bits may or may not hold alpha, fewer than 8 may be grey: Pillow looks further than the header.
  return bits === 24 || bits === 16 ? "RGB" : undefined;
}

/** TIFF alone: BigTIFF, and the two that mix the byte orders up, are not read alike by every Pillow. */
function tiff(view: Buffer): Shape {
  const magic = view.toString("latin1", 0, 4);
  if (magic !== "II*\0" && magic !== "MM\0*") return UNKNOWN;
  const little = view[0] === 0x49;
  const u16 = (at: number): number => (little ? view.readUInt16LE(at) : view.readUInt16BE(at));
  const u32 = (at: number): number => (little ? view.readUInt32LE(at) : view.readUInt32BE(at));
  const directory = u32(4);
  const count = u16(directory);
  const found = new Map<number, number>();
  for (let i = 0; i < count; i++) {
    const entry = directory + 2 + 12 * i;
    const [tag, type] = [u16(entry), u16(entry + 2)];
    if (tag !== 256 && tag !== 257) continue;
    if (found.has(tag) || (type !== 3 && type !== 4) || u32(entry + 4) !== 1) return UNKNOWN;
    found.set(tag, type === 3 ? u16(entry + 8) : u32(entry + 8));
  }
  return { width: found.get(256) ?? 0, height: found.get(257) ?? 0, mode: undefined };
}

/** The largest size in the directory. What lies behind it may be of another size, which is for Pillow to find out. */
function ico(view: Buffer): Shape {
  let [width, height] = [0, 0];
  const count = view.readUInt16LE(4);
  for (let i = 0; i < count; i++) {
    const [w, h] = [view.readUInt8(6 + 16 * i) || 256, view.readUInt8(7 + 16 * i) || 256];
    if (w * h > width * height) [width, height] = [w, h];
  }
  return { width, height, mode: "RGBA" };
}

function jp2(view: Buffer): Shape {
  if (view[0] === 0xff) {
    const width = view.readUInt32BE(8) - view.readUInt32BE(16);
    const height = view.readUInt32BE(12) - view.readUInt32BE(20);
    return { width, height, mode: undefined };
  }
  const header = boxOf(view, "jp2h");
  const ihdr = header && boxOf(header, "ihdr");
  if (!ihdr) return UNKNOWN;
  return { width: ihdr.readUInt32BE(4), height: ihdr.readUInt32BE(0), mode: undefined };
}

/** The body of the first box of a name, among boxes that stand one behind the other. */
function boxOf(view: Buffer, name: string): Buffer | undefined {
  for (let at = 0; at + 8 <= view.length;) {
    const length = view.readUInt32BE(at);
    if (length < 8 || at + length > view.length) return undefined;
    if (view.toString("latin1", at + 4, at + 8) === name) return view.subarray(at + 8, at + length);
    at += length;
  }
  return undefined;
}
