import type { HeaderFacts } from "./facts.ts";

/** Reads the chunks of a WebP file without their data. */
export function readWebpHeader(bytes: Uint8Array): HeaderFacts {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const first = view.toString("latin1", 12, 16);
  const body = 20;
  let exif: Uint8Array | undefined;
  if (first === "VP8 ") {
    const width = view.readUInt16LE(body + 6) & 0x3fff;
    const height = view.readUInt16LE(body + 8) & 0x3fff;
    return { width, height, mode: "RGB", doubt: undefined };
  }
  if (first === "VP8L") {
    const bits = view.readUInt32LE(body + 1);
    const mode = (bits >>> 28) & 1 ? "RGBA" : "RGB";
    return { width: (bits & 0x3fff) + 1, height: ((bits >>> 14) & 0x3fff) + 1, mode, doubt: undefined };
  }
  if (first !== "VP8X") {
    return { width: 0, height: 0, mode: undefined, doubt: "WebP that starts with an unknown chunk" };
  }
  const flags = view.readUInt8(body);
  const width = view.readUIntLE(body + 4, 3) + 1;
  const height = view.readUIntLE(body + 7, 3) + 1;
  for (let at = 12; at + 8 <= view.length;) {
    const length = view.readUInt32LE(at + 4);
    if (view.toString("latin1", at, at + 4) === "EXIF") exif ??= view.subarray(at + 8, at + 8 + length);
    at += 8 + length + (length % 2);
  }
  const mode = flags & 0x10 ? "RGBA" : "RGB";
  return { width, height, mode, doubt: flags & 0x02 ? "animated WebP" : undefined, exif };
}
