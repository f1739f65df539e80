import { IsotorchError } from "../../errors.ts";
import type { ImageFormat } from "../sniff.ts";
import type { HeaderFacts } from "./facts.ts";

type Shape = Pick<HeaderFacts, "width" | "height" | "mode">;

/** The formats that Pillow alone decodes. */
export type OtherFormat = Exclude<ImageFormat, "jpeg" | "png" | "webp">;

/** Comments may stand before the size of a PPM; no more than these bytes are looked through. */
const MAX_PPM_HEADER = 1 << 16;

const SHAPES: Record<OtherFormat, { name: string; read: (view: Buffer) => Shape }> = {
  gif: { name: "GIF", read: gif },
  bmp: { name: "BMP", read: bmp },
  tiff: { name: "TIFF", read: tiff },
  ico: { name: "ICO", read: ico },
  ppm: { name: "PPM", read: ppm },
  jp2: { name: "JPEG 2000", read: jp2 },
};

/** What reads the size in the header of a format that Pillow alone decodes. */
export function otherHeaderReader(format: OtherFormat): (bytes: Uint8Array) => HeaderFacts {
  const { name, read } = SHAPES[format];
  return (bytes) => {
    const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    return { ...read(view), doubt: `${name} is decoded by Pillow` };
  };
}

function gif(view: Buffer): Shape {
  return { width: view.readUInt16LE(6), height: view.readUInt16LE(8), mode: "P" };
}

function bmp(view: Buffer): Shape {
  if (view.readUInt32LE(14) === 12) {
    return {
      width: view.readUInt16LE(18),
      height: view.readUInt16LE(20),
      mode: bmpMode(view.readUInt16LE(24)),
    };
  }
  const [width, height] = [view.readInt32LE(18), view.readInt32LE(22)];
  return { width: Math.abs(width), height: Math.abs(height), mode: bmpMode(view.readUInt16LE(28)) };
}

function bmpMode(bits: number): string | undefined {
  // 32 bits may or may not hold alpha, fewer than 8 may be grey: Pillow looks further than the header.
  return bits === 24 || bits === 16 ? "RGB" : undefined;
}

function tiff(view: Buffer): Shape {
  const little = view[0] === 0x49;
  const u16 = (at: number): number => (little ? view.readUInt16LE(at) : view.readUInt16BE(at));
  const u32 = (at: number): number => (little ? view.readUInt32LE(at) : view.readUInt32BE(at));
  const directory = u32(4);
  const found = new Map<number, number>();
  for (let i = 0; i < u16(directory); i++) {
    const entry = directory + 2 + 12 * i;
    found.set(u16(entry), u16(entry + 2) === 3 ? u16(entry + 8) : u32(entry + 8));
  }
  return { width: found.get(256) ?? 0, height: found.get(257) ?? 0, mode: undefined };
}

function ico(view: Buffer): Shape {
  let [width, height] = [0, 0];
  for (let i = 0; i < view.readUInt16LE(4); i++) {
    const entry = 6 + 16 * i;
    const at = view.readUInt32LE(entry + 12);
    // An icon may be a PNG inside, whose own header counts.
    const isPng = view.toString("latin1", at + 1, at + 4) === "PNG";
    const w = isPng ? view.readUInt32BE(at + 16) : view.readUInt8(entry) || 256;
    const h = isPng ? view.readUInt32BE(at + 20) : view.readUInt8(entry + 1) || 256;
    if (w * h > width * height) [width, height] = [w, h];
  }
  return { width, height, mode: "RGBA" };
}

function ppm(view: Buffer): Shape {
  const head = view.toString("latin1", 0, MAX_PPM_HEADER).replaceAll(/#[^\n\r]*[\n\r]/g, " ");
  const match = /^P([1-6])\s+(\d+)\s+(\d+)/.exec(head);
  if (!match)
    throw new IsotorchError("DECODE_FAILED", "the PPM header has no size", { hint: "the file is corrupt" });
  const modes = ["1", "L", "RGB"];
  return { width: Number(match[2]), height: Number(match[3]), mode: modes[(Number(match[1]) - 1) % 3] };
}

function jp2(view: Buffer): Shape {
  if (view[0] !== 0xff) {
    const box = view.indexOf("ihdr", 0, "latin1");
    if (box < 0) throw new RangeError("no ihdr box");
    return { width: view.readUInt32BE(box + 8), height: view.readUInt32BE(box + 4), mode: undefined };
  }
  const width = view.readUInt32BE(8) - view.readUInt32BE(16);
  const height = view.readUInt32BE(12) - view.readUInt32BE(20);
  return { width, height, mode: undefined };
}
