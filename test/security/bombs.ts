/** Pictures that promise, or unpack to, far more than they are. */
import { crc32, deflateSync } from "node:zlib";

/** A chunk of a PNG. */
export function chunk(name: string, body: Buffer): Buffer {
  const out = Buffer.alloc(12 + body.length);
  out.writeUInt32BE(body.length, 0);
  out.write(name, 4, "latin1");
  body.copy(out, 8);
  out.writeUInt32BE(crc32(out.subarray(4, -4)), out.length - 4);
  return out;
}

function header(width: number, height: number): Buffer {
  const body = Buffer.alloc(13);
  body.writeUInt32BE(width, 0);
  body.writeUInt32BE(height, 4);
  body.set([8, 2], 8); // 8 bits, RGB
  return chunk("IHDR", body);
}

function file(width: number, height: number, data: Buffer, chunks: readonly Buffer[] = []): Uint8Array {
  const parts = [
    Buffer.from("89504e470d0a1a0a", "hex"),
    header(width, height),
    ...chunks,
    chunk("IDAT", deflateSync(data)),
    chunk("IEND", Buffer.alloc(0)),
  ];
  return new Uint8Array(Buffer.concat(parts));
}

/** A sound PNG of one pixel with these chunks in it. */
export function png(...chunks: readonly Buffer[]): Uint8Array {
  return file(1, 1, Buffer.alloc(4), chunks);
}

/** A small PNG whose header promises this size. */
export function pngOfSize(width: number, height: number): Uint8Array {
  return file(width, height, Buffer.alloc(1024));
}

/** The beginning of a JPEG whose header promises this size. */
export function jpegOfSize(width: number, height: number): Uint8Array {
  const frame = Buffer.from("ffc0001108000000000301220002110103110100", "hex").subarray(0, 19);
  frame.writeUInt16BE(height, 5);
  frame.writeUInt16BE(width, 7);
  const scan = Buffer.from("ffda000c03010002110311003f00", "hex");
  const parts = [Buffer.from("ffd8", "hex"), frame, scan, Buffer.alloc(64), Buffer.from("ffd9", "hex")];
  return new Uint8Array(Buffer.concat(parts));
}

/** The beginning of an extended WebP whose header promises this size. */
export function webpOfSize(width: number, height: number): Uint8Array {
  const body = Buffer.alloc(30);
  body.write("RIFF", 0, "latin1");
  body.writeUInt32LE(22, 4);
  body.write("WEBPVP8X", 8, "latin1");
  body.writeUInt32LE(10, 16);
  body.writeUIntLE(width - 1, 24, 3);
  body.writeUIntLE(height - 1, 27, 3);
  return new Uint8Array(body);
}

/** The body of a chunk that unpacks to so many zero bytes. */
export function packedText(name: string, bytes: number): Buffer {
  const heads: Readonly<Record<string, string>> = { iTXt: "Key\0\x01\0\0\0" };
  return Buffer.concat([
    Buffer.from(heads[name] ?? "Key\0\0", "latin1"),
    deflateSync(Buffer.alloc(bytes), { level: 9 }),
  ]);
}
