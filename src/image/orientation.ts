import type { Pixels } from "./geometry.ts";
import type { HeaderFacts } from "./headers/facts.ts";

const ORIENTATION = 0x0112;

/** The orientation of a picture, 1 to 8 as EXIF counts; 1 (upright) where it says nothing sensible. */
export function orientationOf(header: Pick<HeaderFacts, "exif" | "xmpOrientation">): number {
  const value = (header.exif && inExif(header.exif)) ?? header.xmpOrientation ?? 1;
  return value >= 1 && value <= 8 ? value : 1;
}

/** The orientation tag of a TIFF block; undefined where there is none or the block is damaged. */
function inExif(block: Uint8Array): number | undefined {
  const whole = Buffer.from(block.buffer, block.byteOffset, block.length);
  const view = whole.toString("latin1", 0, 6) === "Exif\0\0" ? whole.subarray(6) : whole;
  const order = view.toString("latin1", 0, 2);
  if (order !== "II" && order !== "MM") return undefined;
  const u16 = (at: number): number => (order === "II" ? view.readUInt16LE(at) : view.readUInt16BE(at));
  const u32 = (at: number): number => (order === "II" ? view.readUInt32LE(at) : view.readUInt32BE(at));
  try {
    const directory = u32(4);
    for (let i = 0; i < u16(directory); i++) {
      const entry = directory + 2 + 12 * i;
      if (u16(entry) !== ORIENTATION || u32(entry + 4) !== 1) continue;
      const type = u16(entry + 2);
      if (type === 3) return u16(entry + 8);
      if (type === 4) return u32(entry + 8);
      return type === 1 ? view.readUInt8(entry + 8) : undefined;
    }
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
  }
  return undefined;
}

/** The picture turned and mirrored upright, as Pillow's `ImageOps.exif_transpose` does. */
export function applyOrientation(pixels: Pixels, orientation: number): Pixels {
  if (orientation <= 1 || orientation > 8) return pixels;
  const swaps = orientation >= 5;
  const flipX = [2, 3, 7, 8].includes(orientation);
  const flipY = [3, 4, 6, 7].includes(orientation);
  const width = swaps ? pixels.height : pixels.width;
  const height = swaps ? pixels.width : pixels.height;
  const data = new Uint8Array(pixels.data.length);
  let target = 0;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const column = swaps ? y : x;
      const row = swaps ? x : y;
      const fromX = flipX ? pixels.width - 1 - column : column;
      const fromY = flipY ? pixels.height - 1 - row : row;
      const source = (fromY * pixels.width + fromX) * 3;
      data[target++] = pixels.data[source]!;
      data[target++] = pixels.data[source + 1]!;
      data[target++] = pixels.data[source + 2]!;
    }
  }
  return { data, width, height };
}
