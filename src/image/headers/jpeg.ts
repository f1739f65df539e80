import type { HeaderFacts } from "./facts.ts";
import { doubtOfScans } from "./jpeg-scans.ts";

const MODES: Record<number, string> = { 1: "L", 3: "RGB", 4: "CMYK" };
const PROCESSES: Record<number, string> = {
  0xc3: "lossless",
  0xc7: "lossless",
  0xcb: "lossless",
  0xcf: "lossless",
};

/** The frame header, `SOF`. */
interface Frame {
  readonly marker: number;
  readonly precision: number;
  readonly width: number;
  readonly height: number;
  readonly components: readonly number[];
}

/** Reads the segments of a JPEG, and walks over its scans without decoding them. */
export function readJpegHeader(bytes: Uint8Array): HeaderFacts {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  let frame: Frame | undefined;
  let exif: Uint8Array | undefined;
  let odd: string | undefined;
  let at = 2;
  for (;;) {
    // Bytes between segments: Pillow skips them, libjpeg warns.
    if (view.readUInt8(at) !== 0xff) odd = "JPEG with stray bytes between its segments";
    while (view.readUInt8(at) !== 0xff) at++;
    while (view.readUInt8(at) === 0xff) at++;
    const marker = view.readUInt8(at++);
    if (marker < 0xc0 || (marker >= 0xd0 && marker <= 0xd9) || marker === 0xff) {
      odd = "JPEG with a marker out of place";
      if (marker === 0xd9) break;
      continue;
    }
    if (marker === 0xda) break;
    const length = view.readUInt16BE(at);
    const body = view.subarray(at + 2, at + length);
    if (isFrame(marker)) {
      if (frame) odd = "JPEG with two frames";
      frame ??= readFrame(marker, body);
    }
    if (marker === 0xe1 && body.toString("latin1", 0, 5) === "Exif\0") exif ??= body.subarray(6);
    at += Math.max(length, 2);
  }
  if (!frame) return { width: 0, height: 0, mode: undefined, doubt: "JPEG without a frame header" };
  const doubt = odd ?? doubtOf(frame) ?? doubtOfScans(view, at, frame.components, frame.marker === 0xc2);
  return { width: frame.width, height: frame.height, mode: MODES[frame.components.length], doubt, exif };
}

/** SOF0 to SOF15 without DHT, JPG and DAC, which share the range. */
function isFrame(marker: number): boolean {
  return marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc;
}

function readFrame(marker: number, body: Buffer): Frame {
  const components: number[] = [];
  for (let i = 0; i < body.readUInt8(5); i++) components.push(body.readUInt8(6 + 3 * i));
  return {
    marker,
    precision: body.readUInt8(0),
    height: body.readUInt16BE(1),
    width: body.readUInt16BE(3),
    components,
  };
}

function doubtOf(frame: Frame): string | undefined {
  const { marker, precision, components } = frame;
  if (PROCESSES[marker]) return "lossless JPEG";
  if (marker >= 0xc9) return "JPEG with arithmetic coding";
  if (marker > 0xc2) return "hierarchical JPEG";
  if (precision !== 8) return `${precision}-bit JPEG`;
  if (components.length === 4) return "CMYK or YCCK JPEG";
  if (components.length !== 1 && components.length !== 3) return `JPEG with ${components.length} components`;
  if (frame.width === 0 || frame.height === 0) return "JPEG without a size in its header";
  return undefined;
}
