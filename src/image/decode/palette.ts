import { crc32 } from "node:zlib";
import { pngChunks } from "../headers/png-chunks.ts";

/** A PNG whose palette was filled up, with the colour that it was filled with. */
export interface FilledPalette {
  readonly bytes: Uint8Array;
  /** R, G, B: a colour that the palette itself does not have. */
  readonly filler: readonly [number, number, number];
}

/**
 * Fills a palette that is shorter than the pixels could ask for with a colour of its own, so that pixels which point
 * beyond the palette can be told from the others: libpng shows them black, Pillow as some grey.
 *
 * @returns undefined for a PNG without a palette, or with a full one.
 */
export function fillPalette(bytes: Uint8Array): FilledPalette | undefined {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const entries = 1 << view.readUInt8(24);
  if (view.readUInt8(25) !== 3) return undefined;
  for (const { name, offset, body } of pngChunks(bytes)) {
    if (name !== "PLTE") continue;
    if (body.length >= entries * 3) return undefined;
    const filler = unusedColour(body);
    const chunk = Buffer.alloc(12 + entries * 3);
    chunk.writeUInt32BE(entries * 3, 0);
    chunk.write("PLTE", 4, "latin1");
    for (let i = 0; i < entries; i++) chunk.set(filler, 8 + 3 * i);
    chunk.set(body, 8);
    chunk.writeUInt32BE(crc32(chunk.subarray(4, -4)), chunk.length - 4);
    const rest = view.subarray(offset + 12 + body.length);
    return { bytes: Buffer.concat([view.subarray(0, offset), chunk, rest]), filler };
  }
  return undefined;
}

function unusedColour(palette: Buffer): [number, number, number] {
  const used = new Set<number>();
  for (let i = 0; i + 2 < palette.length; i += 3) used.add(palette[i]!);
  // A palette that is not full has at most 255 entries, so one value of red is free.
  let red = 0;
  while (used.has(red)) red++;
  return [red, 0, 0];
}

/** Whether any pixel of an RGB picture has the colour. */
export function hasColour(data: Uint8Array, [red, green, blue]: readonly [number, number, number]): boolean {
  for (let i = 0; i < data.length; i += 3) {
    if (data[i] === red && data[i + 1] === green && data[i + 2] === blue) return true;
  }
  return false;
}
