import { countChunks, type Limits } from "../source/limits.ts";
import { readExif } from "./exif.ts";
import { type HeaderFacts, leftToPillow } from "./facts.ts";
import { ChunkOrder, type PngChunk, pngChunks } from "./png-chunks.ts";
import { PngTexts } from "./png-text.ts";

/** Name of the kind and Pillow's mode for each pair of colour type and bit depth. */
const KINDS: Record<string, readonly [kind: string | undefined, mode: string]> = {
  "0/1": ["grey1", "1"],
  "0/2": ["grey2", "L"],
  "0/4": ["grey4", "L"],
  "0/8": ["grey8", "L"],
  "0/16": [undefined, "I"],
  "2/8": ["rgb8", "RGB"],
  "2/16": [undefined, "RGB"],
  "3/1": ["palette1", "P"],
  "3/2": ["palette2", "P"],
  "3/4": ["palette4", "P"],
  "3/8": ["palette8", "P"],
  "4/8": ["greyalpha8", "LA"],
  "4/16": [undefined, "RGBA"],
  "6/8": ["rgba8", "RGBA"],
  "6/16": [undefined, "RGBA"],
};

/** The chunks that hold pixels; encoders make them of 8 KiB or more. */
const DATA = new Set(["IDAT", "fdAT"]);
const COMMON_DATA = 1_024;

interface Ihdr {
  readonly width: number;
  readonly height: number;
  readonly depth: number;
  readonly colour: number;
  readonly interlace: number;
  readonly odd: string | undefined;
}

/** Reads all chunks of a PNG; of the picture's data only the checksums. */
export function readPngHeader(bytes: Uint8Array, limits: Pick<Limits, "chunks">): HeaderFacts {
  let ihdr: Ihdr | undefined;
  let doubt: string | undefined;
  let palette = 0;
  let exif: Buffer | undefined;
  const order = new ChunkOrder();
  const texts = new PngTexts();
  const counter = countChunks("chunks of a PNG beside those of 1 KiB or more of pixels", limits);
  for (const chunk of pngChunks(bytes)) {
    const { name, body } = chunk;
    if (!DATA.has(name) || body.length < COMMON_DATA) counter.count();
    if (name === "eXIf" && !order.has("IDAT")) exif = body;
    else if (name === "eXIf") texts.carries = true; // Some versions of Pillow see it, some do not.
    doubt ??= order.note(chunk);
    if (name === "IHDR") {
      // Which of two counts, readers do not agree on.
      ihdr = ihdr ? { ...ihdr, width: 0, height: 0 } : readIhdr(bytes, chunk);
      doubt ??= ihdr.odd;
    } else if (name === "PLTE") palette = body.length / 3;
    else if (ihdr && name === "tRNS") doubt ??= oddTransparency(ihdr, palette, body);
    else if (["iCCP", "tEXt", "zTXt", "iTXt"].includes(name) && doubt === undefined) {
      doubt = texts.note(name, body);
    }
  }
  if (!ihdr) return leftToPillow("PNG without a header", sizeAt(bytes, 16));
  if (!order.has("IEND")) doubt ??= "PNG that is cut off";
  if (!order.has("IDAT")) doubt ??= "PNG without data";
  doubt ??= oddPalette(ihdr, order.has("PLTE"), palette);
  const { width, height, depth, colour } = ihdr;
  const [name, mode] = KINDS[`${colour}/${depth}`] ?? [];
  if (doubt !== undefined) return leftToPillow(doubt, { width, height, mode });
  const kind = `png-${name}${order.has("tRNS") ? "-trns" : ""}${ihdr.interlace === 1 ? "-interlaced" : ""}`;
  const found = exif ? readExif(exif)?.orientation : 1;
  const orientation = texts.carries ? undefined : found;
  return { width, height, mode, kind, doubt, orientation, hasProfile: order.has("iCCP") };
}

function readIhdr(bytes: Uint8Array, { body, offset }: PngChunk): Ihdr {
  const [depth = 0, colour = 0, compression = 0, filter = 0, interlace = 0] = body.subarray(8);
  const ihdr = { ...sizeAt(bytes, offset + 8), depth, colour, interlace };
  return { ...ihdr, odd: oddIhdr(ihdr, body.length, compression, filter) };
}

/** Width and height as they stand in a PNG; 0 where it ends before them. */
function sizeAt(bytes: Uint8Array, at: number): { width: number; height: number } {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  if (at + 8 > view.length || view.toString("latin1", at - 4, at) !== "IHDR") return { width: 0, height: 0 };
  return { width: view.readUInt32BE(at), height: view.readUInt32BE(at + 4) };
}

function oddIhdr(ihdr: Omit<Ihdr, "odd">, length: number, compression: number, filter: number) {
  const { width, height, depth, colour, interlace } = ihdr;
  const kind = KINDS[`${colour}/${depth}`];
  if (length !== 13 || compression !== 0 || filter !== 0 || interlace > 1) return "PNG with an odd IHDR";
  if (!kind) return "PNG with a colour type and depth that the format does not have";
  if (!kind[0]) return "16-bit PNG";
  return width === 0 || height === 0 ? "PNG without a size in its header" : undefined;
}

function oddPalette({ colour, depth }: Ihdr, has: boolean, entries: number): string | undefined {
  if (!has) return colour === 3 ? "PNG without its palette" : undefined;
  const most = colour === 3 ? 1 << depth : colour === 2 || colour === 6 ? 256 : 0;
  const whole = Number.isInteger(entries) && entries >= 1 && entries <= most;
  return whole ? undefined : "PNG with an odd PLTE";
}

/** Whether transparency is as the format has it: one colour that the depth has, or at most as many as the palette. */
function oddTransparency({ colour, depth }: Ihdr, palette: number, body: Buffer): string | undefined {
  const values = Array.from({ length: body.length >> 1 }, (_, i) => body.readUInt16BE(2 * i));
  const sound =
    colour === 3
      ? body.length >= 1 && body.length <= palette
      : body.length === { 0: 2, 2: 6 }[colour] && values.every((value) => value < 1 << depth);
  return sound ? undefined : "PNG with an odd tRNS";
}
