import { crc32, inflateSync } from "node:zlib";
import { IsotorchError } from "../../errors.ts";
import type { HeaderFacts } from "./facts.ts";

/** Pillow's mode for each pair of colour type and bit depth. */
const MODES: Record<string, string> = {
  "0/1": "1",
  "0/2": "L",
  "0/4": "L",
  "0/8": "L",
  "0/16": "I",
  "2/8": "RGB",
  "2/16": "RGB",
  "3/1": "P",
  "3/2": "P",
  "3/4": "P",
  "3/8": "P",
  "4/8": "LA",
  "4/16": "RGBA",
  "6/8": "RGBA",
  "6/16": "RGBA",
};

/** What compressed text and profiles may grow to, bytes: Pillow's own limit. */
const MAX_TEXT = 1 << 20;

/** What they may grow to together, bytes: Pillow's own limit. */
const MAX_ALL_TEXT = 1 << 26;

/** Chunks that Pillow takes apart, with their length in bytes: another length, and Pillow has to say what becomes of it. */
const LENGTHS: Readonly<Record<string, number>> = { IHDR: 13, gAMA: 4, cHRM: 32, sRGB: 1, pHYs: 9 };

/** The same for transparency, by colour type; a palette's may be shorter than the palette. */
const TRANSPARENCY: Readonly<Record<number, number>> = { 0: 2, 2: 6 };

const XMP = "XML:com.adobe.xmp";

/** One chunk of a PNG file. */
export interface PngChunk {
  readonly name: string;
  /** Where the chunk starts, at its length. */
  readonly offset: number;
  readonly body: Buffer;
  /** Whether the checksum is right. */
  readonly sound: boolean;
}

/** The chunks of a PNG file, up to `IEND` or to where the file is cut off. */
export function* pngChunks(bytes: Uint8Array): Generator<PngChunk> {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  let at = 8;
  while (at + 12 <= view.length) {
    const length = view.readUInt32BE(at);
    const end = at + 8 + length;
    if (end + 4 > view.length) return;
    const name = view.toString("latin1", at + 4, at + 8);
    const sound = crc32(view.subarray(at + 4, end)) === view.readUInt32BE(end);
    yield { name, offset: at, body: view.subarray(at + 8, end), sound };
    if (name === "IEND") return;
    at = end + 4;
  }
}

/** Reads all chunks of a PNG; of the picture's data only the checksums. */
export function readPngHeader(bytes: Uint8Array): HeaderFacts {
  const { width, height, depth, colour, isFirst } = headerOf(bytes);
  const mode = MODES[`${colour}/${depth}`];
  let doubt: string | undefined = depth === 16 ? "16-bit PNG" : undefined;
  if (mode === undefined) doubt = "PNG with a colour type and depth that the format does not have";
  if (width === 0 || height === 0) doubt = "PNG without a size in its header";
  if (!isFirst) doubt = "PNG that does not start with IHDR";
  let exif: Uint8Array | undefined;
  let xmpOrientation: number | undefined;
  let last = "";
  let textBytes = 0;
  for (const { name, body, sound } of pngChunks(bytes)) {
    last = name;
    if (!sound) doubt ??= `PNG with a wrong checksum in ${name}`;
    if (name === "acTL") doubt ??= "animated PNG";
    if (isOdd(name, body, colour)) doubt ??= `PNG with an odd ${name}`;
    if (name === "eXIf") exif = body;
    if (name === "iCCP" || name === "zTXt" || name === "iTXt") {
      const text = inflateText(name, body);
      textBytes += text.length;
      if (textBytes > MAX_ALL_TEXT) throw tooMuchText(name, MAX_ALL_TEXT, undefined);
      if (name === "iTXt" && body.toString("latin1", 0, XMP.length) === XMP) xmpOrientation ??= inXmp(text);
    }
  }
  if (last !== "IEND") doubt ??= "PNG that is cut off";
  return { width, height, mode, doubt, exif, xmpOrientation };
}

/** What the first IHDR says; Pillow takes it wherever it stands. */
function headerOf(bytes: Uint8Array) {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const isFirst = view.toString("latin1", 12, 16) === "IHDR";
  let at = 16;
  if (!isFirst) {
    at = Infinity; // Nowhere, unless a chunk is found: a RangeError, as for a header that ends too early.
    for (const { name, offset } of pngChunks(bytes)) if (name === "IHDR") at = Math.min(at, offset + 8);
  }
  const [width, height] = [view.readUInt32BE(at), view.readUInt32BE(at + 4)];
  return { width, height, depth: view.readUInt8(at + 8), colour: view.readUInt8(at + 9), isFirst };
}

/** Whether a chunk is not as the format has it, so that Pillow may refuse what others pass over. */
function isOdd(name: string, body: Buffer, colour: number): boolean {
  const length = name === "tRNS" ? TRANSPARENCY[colour] : LENGTHS[name];
  if (length !== undefined && body.length !== length) return true;
  if (name !== "iCCP" && name !== "zTXt") return false;
  const key = body.indexOf(0);
  return key < 0 || body[key + 1] !== 0;
}

/** The text or profile in a chunk, inflated where it is compressed. Damage is not judged here. */
function inflateText(name: string, body: Buffer): Buffer {
  const key = body.indexOf(0);
  if (key < 0) return body;
  const packed = name === "iTXt" ? body[key + 1] !== 0 : true;
  // iTXt has two flags, then language and translated keyword, each ended by a zero byte.
  const start = name === "iTXt" ? body.indexOf(0, body.indexOf(0, key + 3) + 1) + 1 : key + 2;
  const rest = body.subarray(start);
  if (!packed) return rest;
  try {
    return inflateSync(rest, { maxOutputLength: MAX_TEXT });
  } catch (cause) {
    if (!(cause instanceof RangeError)) return rest;
    throw tooMuchText(name, MAX_TEXT, cause);
  }
}

function tooMuchText(name: string, limit: number, cause: unknown): IsotorchError {
  return new IsotorchError("INPUT_TOO_LARGE", `the PNG's ${name} unpacks to more than ${limit} bytes`, {
    hint: "a picture that hides so much text is refused, as Pillow refuses it; save it again without metadata",
    cause,
  });
}

function inXmp(text: Buffer): number | undefined {
  const match = /tiff:Orientation(?:="|>)([0-9])/.exec(text.toString("utf8"));
  return match ? Number(match[1]) : undefined;
}
