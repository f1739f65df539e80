import { IsotorchError } from "../../base/errors.ts";
import { looksLike } from "./lookalike.ts";

/** The file formats that are read, by the worker if not here. */
export type ImageFormat = "jpeg" | "png" | "webp" | "gif" | "bmp" | "tiff" | "ico" | "ppm" | "jp2";

const READ = "JPEG, PNG, WebP, GIF, BMP, TIFF, ICO, PPM and JPEG 2000 are read";

/** First bytes, in hexadecimal: what any Pillow takes for one of the formats, it gets to see. */
const PREFIXES: readonly (readonly [ImageFormat, readonly string[]])[] = [
  ["jpeg", ["ffd8ff"]],
  ["png", ["89504e470d0a1a0a"]],
  ["gif", ["474946383761", "474946383961"]],
  ["bmp", ["424d"]],
  ["tiff", ["4d4d002a", "49492a00", "4d4d2a00", "4949002a", "4d4d002b", "49492b00"]],
  ["ico", ["00000100"]],
  ["jp2", ["ff4fff51", "0000000c6a5020200d0a870a"]],
];

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
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, 16));
  const hex = head.toString("hex");
  const text = head.toString("latin1");
  if (text.startsWith("RIFF") && /^WEBPVP8[ XL]/.test(text.slice(8))) return "webp";
  if (/^P[0-6fy]/.test(text)) return "ppm";
  return PREFIXES.find(([, prefixes]) => prefixes.some((prefix) => hex.startsWith(prefix)))?.[0];
}
