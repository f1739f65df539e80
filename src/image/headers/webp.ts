import { type Counter, countChunks, type Limits } from "../source/limits.ts";
import { readExif } from "./exif.ts";
import { type HeaderFacts, leftToPillow } from "./facts.ts";

/** Bits of VP8X. */
const FLAGS = { animation: 0x02, xmp: 0x04, exif: 0x08, alpha: 0x10, profile: 0x20 };

/** The one order in which the chunks of a still picture with VP8X may stand. */
const ORDER = ["VP8X", "ICCP", "ALPH", "VP8 ", "VP8L", "EXIF", "XMP "];

interface Chunk {
  readonly name: string;
  readonly body: Buffer;
}

interface Picture {
  readonly width: number;
  readonly height: number;
  readonly lossless: boolean;
  readonly alpha: boolean;
}

/** Reads the chunks of a WebP file without their data. */
export function readWebpHeader(bytes: Uint8Array, limits: Pick<Limits, "chunks">): HeaderFacts {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  countAll(view, countChunks("chunks of a WebP", limits));
  const chunks = chunksOf(view);
  const size = claimedSize(view);
  if (!chunks) return leftToPillow("WebP whose chunks do not fill the file", size);
  const find = (name: string): Buffer | undefined => chunks.find((chunk) => chunk.name === name)?.body;
  const picture = pictureOf(find("VP8 "), find("VP8L"), find("ALPH") !== undefined);
  const doubt =
    oddOrder(chunks) ?? (picture ? oddFlags(find("VP8X"), picture, chunks) : "WebP with odd data");
  if (doubt !== undefined || !picture) return leftToPillow(doubt ?? "WebP with odd data", size);
  const { width, height, lossless, alpha } = picture;
  const kind = `webp-${lossless ? "lossless" : "lossy"}${alpha ? "-alpha" : ""}`;
  const exif = find("EXIF");
  const orientation = find("XMP ") ? undefined : exif ? exifOf(exif)?.orientation : 1;
  const hasProfile = find("ICCP") !== undefined;
  return { width, height, mode: alpha ? "RGBA" : "RGB", kind, doubt, orientation, hasProfile };
}

/** The chunks, where they fill the file to its last byte. */
function chunksOf(view: Buffer): Chunk[] | undefined {
  if (view.length < 20 || view.readUInt32LE(4) + 8 !== view.length) return undefined;
  const chunks: Chunk[] = [];
  let at = 12;
  while (at + 8 <= view.length) {
    const length = view.readUInt32LE(at + 4);
    const end = at + 8 + length;
    if (end + (length % 2) > view.length || (length % 2 === 1 && view[end] !== 0)) return undefined;
    chunks.push({ name: view.toString("latin1", at, at + 4), body: view.subarray(at + 8, end) });
    at = end + (length % 2);
  }
  return at === view.length ? chunks : undefined;
}

/** Also of a file that has something behind them. @throws IsotorchError `INPUT_TOO_LARGE`. */
function countAll(view: Buffer, chunks: Counter): void {
  for (let at = 12; at + 8 <= view.length;) {
    chunks.count();
    const length = view.readUInt32LE(at + 4);
    at += 8 + length + (length % 2);
  }
}

function oddOrder(chunks: readonly Chunk[]): string | undefined {
  const names = chunks.map(({ name }) => name);
  if (names.includes("ANIM") || names.includes("ANMF")) return "animated WebP";
  if (names.some((name) => !ORDER.includes(name))) return "WebP with an unknown chunk";
  const places = names.map((name) => ORDER.indexOf(name));
  if (places.some((place, i) => i > 0 && place <= places[i - 1]!)) return "WebP with chunks out of order";
  return names[0] === "VP8X" || names.length === 1 ? undefined : "WebP with more than its picture";
}

function pictureOf(lossy: Buffer | undefined, lossless: Buffer | undefined, hasAlpha: boolean) {
  if (lossy && !lossless) return lossyPicture(lossy, hasAlpha);
  return lossless && !lossy && !hasAlpha ? losslessPicture(lossless) : undefined;
}

/** A key frame that is shown, with its start code, of a size that is not scaled. */
function lossyPicture(body: Buffer, alpha: boolean): Picture | undefined {
  if (body.length < 10 || (body[0]! & 1) !== 0 || (body[0]! & 0x10) === 0 || (body[0]! & 0x0e) > 6) {
    return undefined;
  }
  if (body.toString("hex", 3, 6) !== "9d012a" || body.readUIntLE(0, 3) >> 5 > body.length - 10)
    return undefined;
  const [width, height] = [body.readUInt16LE(6), body.readUInt16LE(8)];
  if (width === 0 || height === 0 || width > 0x3fff || height > 0x3fff) return undefined;
  return { width, height, lossless: false, alpha };
}

function losslessPicture(body: Buffer): Picture | undefined {
  if (body.length < 5 || body[0] !== 0x2f) return undefined;
  const bits = body.readUInt32LE(1);
  if (bits >>> 29 !== 0) return undefined;
  const [width, height] = [(bits & 0x3fff) + 1, ((bits >>> 14) & 0x3fff) + 1];
  return { width, height, lossless: true, alpha: ((bits >>> 28) & 1) === 1 };
}

/** Whether VP8X says what the chunks are. */
function oddFlags(vp8x: Buffer | undefined, picture: Picture, chunks: readonly Chunk[]): string | undefined {
  if (!vp8x) return undefined;
  if (vp8x.length !== 10 || vp8x.readUIntLE(1, 3) !== 0) return "WebP with an odd VP8X";
  const has = (name: string): boolean => chunks.some((chunk) => chunk.name === name);
  const expected =
    (has("ICCP") ? FLAGS.profile : 0) |
    (picture.alpha ? FLAGS.alpha : 0) |
    (has("EXIF") ? FLAGS.exif : 0) |
    (has("XMP ") ? FLAGS.xmp : 0);
  if ((vp8x[0]! & FLAGS.animation) !== 0) return "animated WebP";
  if (vp8x[0] !== expected) return "WebP whose flags do not match its chunks";
  const same = vp8x.readUIntLE(4, 3) + 1 === picture.width && vp8x.readUIntLE(7, 3) + 1 === picture.height;
  return same ? undefined : "WebP whose canvas is not its picture";
}

/** EXIF, with or without the prefix that it has in a JPEG. */
function exifOf(body: Buffer): ReturnType<typeof readExif> {
  return readExif(body.toString("latin1", 0, 6) === "Exif\0\0" ? body.subarray(6) : body);
}

/** The size that the first chunk claims, for a file that may be odd. */
function claimedSize(view: Buffer): { width: number; height: number } {
  const first = view.toString("latin1", 12, 16);
  if (view.length < 30) return { width: 0, height: 0 };
  if (first === "VP8X" && view.readUInt32LE(16) !== 10) return { width: 0, height: 0 };
  if (first === "VP8X") return { width: view.readUIntLE(24, 3) + 1, height: view.readUIntLE(27, 3) + 1 };
  const picture =
    first === "VP8L" ? losslessPicture(view.subarray(20)) : lossyPicture(view.subarray(20), false);
  return { width: picture?.width ?? 0, height: picture?.height ?? 0 };
}
