import { IsotorchError } from "../errors.ts";

/** The file formats that are read, by the worker if not here. */
export type ImageFormat = "jpeg" | "png" | "webp" | "gif" | "bmp" | "tiff" | "ico" | "ppm" | "jp2";

const READ = "JPEG, PNG, WebP, GIF, BMP, TIFF, ICO, PPM and JPEG 2000 are read";

/** The sizes of the information headers that a BMP file may have: `BM` alone could also start a sentence. */
const BMP_HEADERS = new Set([12, 16, 40, 52, 56, 64, 108, 124]);

/**
 * Tells the format by the first bytes; names and media types are not looked at.
 *
 * @throws IsotorchError `UNSUPPORTED_FORMAT`, naming what the bytes look like.
 */
export function sniffFormat(bytes: Uint8Array): ImageFormat {
  const known = knownFormat(bytes);
  if (known) return known;
  throw new IsotorchError("UNSUPPORTED_FORMAT", `not a picture that can be read: ${looksLike(bytes)}`, {
    hint: READ,
  });
}

function knownFormat(bytes: Uint8Array): ImageFormat | undefined {
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, 18));
  const hex = head.toString("hex");
  const text = head.toString("latin1");
  if (hex.startsWith("ffd8ff")) return "jpeg";
  if (hex.startsWith("89504e470d0a1a0a")) return "png";
  if (text.startsWith("RIFF") && text.slice(8, 12) === "WEBP") return "webp";
  if (/^GIF8[79]a/.test(text)) return "gif";
  if (text.startsWith("BM") && head.length >= 18 && BMP_HEADERS.has(head.readUInt32LE(14))) return "bmp";
  if (hex.startsWith("49492a00") || hex.startsWith("4d4d002a")) return "tiff";
  if (hex.startsWith("00000100")) return "ico";
  if (/^P[1-6][\s#]/.test(text)) return "ppm";
  if (hex.startsWith("0000000c6a5020200d0a870a") || hex.startsWith("ff4fff51")) return "jp2";
  return undefined;
}

/**
 * Signatures of what people hand over by mistake. Tried in order: patterns on the first 1,024 bytes as Latin-1, or first bytes
 * in hexadecimal.
 */
const OTHERS: readonly (readonly [RegExp | string, string])[] = [
  [/^\s*(<\?xml[^]*?)?(<!--[^]*?-->\s*|<!doctype svg[^]*?>\s*)*<svg[\s>]/i, "an SVG drawing"],
  [/^\s*(<!--[^]*?-->\s*)*<(!doctype html|html|head|body|script)/i, "an HTML page"],
  [/^\s*<\?xml/i, "an XML document"],
  [/^%PDF-/, "a PDF document"],
  [/^%!PS/, "a PostScript document"],
  ["504b0304", "a zip archive"],
  ["504b0506", "an empty zip archive"],
  ["1f8b", "a gzip archive"],
  [/^....ftyp(avif|avis)/s, "an AVIF picture"],
  [/^....ftyp(heic|heix|mif1|msf1|hevc)/s, "a HEIC picture"],
  [/^....ftyp/s, "an MP4 video"],
  ["ff0a", "a JPEG XL picture"],
  ["0000000c4a584c20", "a JPEG XL picture"],
  [/^8BPS/, "a Photoshop document"],
  ["49492b00", "a BigTIFF picture"],
  ["4d4d002b", "a BigTIFF picture"],
  [/^RIFF/, "a RIFF file without WebP data in it"],
  ["7f454c46", "a program"],
  [/^MZ/, "a program"],
  [/^\x80[^ -\xff]/, "a Python pickle"],
  [/^version https:\/\/git-lfs/, "a Git LFS pointer, not the file itself"],
];

function looksLike(bytes: Uint8Array): string {
  if (bytes.length === 0) return "the input is empty";
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, 1024)).toString("latin1");
  const hex = Buffer.from(head.slice(0, 16), "latin1").toString("hex");
  const text = head.replace(/^\xef\xbb\xbf/, "");
  for (const [pattern, name] of OTHERS) {
    const found = typeof pattern === "string" ? hex.startsWith(pattern) : pattern.test(text);
    if (found) return `it looks like ${name}`;
  }
  if (/^[\t\n\r\x20-\x7e\x80-\xff]+$/.test(text) && /[a-z ]{2}/i.test(text)) return "it looks like text";
  if (/^(00)+$/.test(hex)) return "it is all zero bytes";
  return `it starts with the bytes ${hex.slice(0, 16)}`;
}
