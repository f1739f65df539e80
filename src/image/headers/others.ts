import { type Counter, countChunks, type Limits } from "../source/limits.ts";
import type { ImageFormat } from "../decode/sniff.ts";
import { type HeaderFacts, leftToPillow } from "./facts.ts";
import { countBlocks } from "./gif.ts";
import { jp2 } from "./jp2.ts";
import { ppm } from "./ppm.ts";
import { tiff } from "./tiff.ts";

/** Zeros where the size cannot be told for sure: Pillow has the word on it. */
type Shape = Pick<HeaderFacts, "width" | "height" | "mode">;

/** The formats that Pillow alone decodes. */
export type OtherFormat = Exclude<ImageFormat, "jpeg" | "png" | "webp">;

const UNKNOWN: Shape = { width: 0, height: 0, mode: undefined };

/** Of each format its name, what reads its header, and the parts that are counted meanwhile. */
const SHAPES: Record<
  OtherFormat,
  { name: string; read: (view: Buffer, parts: Counter) => Shape; parts: string }
> = {
  gif: { name: "GIF", read: gif, parts: "blocks before the first picture of a GIF" },
  bmp: { name: "BMP", read: bmp, parts: "parts of a BMP" },
  tiff: { name: "TIFF", read: tiff, parts: "tags and small strips of a TIFF" },
  ico: { name: "ICO", read: ico, parts: "pictures of an ICO" },
  ppm: { name: "PPM", read: ppm, parts: "comments of a PPM, long ones counted for each 256 bytes" },
  jp2: { name: "JPEG 2000", read: jp2, parts: "boxes of a JPEG 2000" },
};

/** What reads the size in the header of a format that Pillow alone decodes. It refuses only what has too many parts. */
export function otherHeaderReader(
  format: OtherFormat,
): (bytes: Uint8Array, limits: Pick<Limits, "chunks">) => HeaderFacts {
  const { name, read, parts } = SHAPES[format];
  return (bytes, limits) => {
    const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    const shape = shapeOf(() => read(view, countChunks(parts, limits)));
    return leftToPillow(`${name} is decoded by Pillow`, shape);
  };
}

function shapeOf(read: () => Shape): Shape {
  try {
    const shape = read();
    return shape.width > 0 && shape.height > 0 ? shape : UNKNOWN;
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    return UNKNOWN;
  }
}

function gif(view: Buffer, blocks: Counter): Shape {
  const shape = { width: view.readUInt16LE(6), height: view.readUInt16LE(8), mode: "P" };
  try {
    countBlocks(view, blocks);
  } catch (cause) {
    // Pillow has the last word on a file that is cut off.
    if (!(cause instanceof RangeError)) throw cause;
  }
  return shape;
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

/** The largest size in the directory. What lies behind it may be of another size, which is for Pillow to find out. */
function ico(view: Buffer, pictures: Counter): Shape {
  let [width, height] = [0, 0];
  const count = view.readUInt16LE(4);
  pictures.count(count);
  for (let i = 0; i < count; i++) {
    const [w, h] = [view.readUInt8(6 + 16 * i) || 256, view.readUInt8(7 + 16 * i) || 256];
    if (w * h > width * height) [width, height] = [w, h];
  }
  return { width, height, mode: "RGBA" };
}
