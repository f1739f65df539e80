import { checkSize, type Counter, countChunks, countScans, type Limits } from "../../source/limits.ts";
import { type HeaderFacts, leftToPillow } from "../facts.ts";
import { Applications } from "./applications.ts";
import type { Frame } from "./frame.ts";
import { countAllScans, doubtOfScans } from "./scans.ts";
import { tablesOf } from "./tables.ts";

const MODES: Record<number, string> = { 1: "L", 3: "RGB", 4: "CMYK" };

/** The luma's sampling factors, by the name of the kind; those of chroma are 1 and 1. */
const SAMPLINGS: Record<number, string> = { 0x11: "444", 0x21: "422", 0x22: "420", 0x12: "440" };

/** Reads the segments of a JPEG, and walks over its scans without decoding them. */
export function readJpegHeader(bytes: Uint8Array, limits: Limits): HeaderFacts {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  return new Segments(view, limits).read();
}

class Segments {
  readonly #view: Buffer;
  readonly #limits: Limits;
  readonly #counter: Counter;
  readonly #applications: Applications;
  readonly #tables = new Set<string>();
  #frame: Frame | undefined;
  #doubt: string | undefined;
  /** Parts of a profile before the frame header: Pillow passes over later ones. */
  #parts = 0;

  constructor(view: Buffer, limits: Limits) {
    this.#view = view;
    this.#limits = limits;
    this.#counter = countChunks("segments of a JPEG", limits);
    this.#applications = new Applications(this.#counter);
  }

  read(): HeaderFacts {
    let firstScan: number | undefined;
    try {
      firstScan = this.#walk();
    } catch (cause) {
      if (!(cause instanceof RangeError)) throw cause;
      this.#note("JPEG whose header ends early");
    }
    const frame = this.#frame;
    if (!frame || firstScan === undefined) {
      return leftToPillow(this.#doubt ?? "JPEG without a frame header", frame);
    }
    this.#note(this.#applications.oddProfile);
    if (this.#parts !== this.#applications.profileParts) this.#note("JPEG with an odd profile");
    this.#note(doubtOf(frame, this.#applications.transform, this.#tables));
    checkSize(frame, this.#limits);
    const scans = countScans(frame.width * frame.height, this.#limits);
    countAllScans(this.#view, firstScan, scans, this.#counter);
    if (this.#doubt === undefined) this.#note(doubtOfScans(this.#view, firstScan, frame, this.#tables));
    const mode = MODES[frame.components.length];
    const { width, height } = frame;
    if (this.#doubt !== undefined) return leftToPillow(this.#doubt, { width, height, mode });
    const name = frame.components.length === 1 ? "grey" : SAMPLINGS[frame.components[0]!.factors];
    const kind = `jpeg-${name}${frame.progressive ? "-progressive" : ""}`;
    const { orientation, hasProfile } = this.#applications;
    return { width, height, mode, kind, doubt: undefined, orientation, hasProfile };
  }

  #note(doubt: string | undefined): void {
    this.#doubt ??= doubt;
  }

  /** Goes from marker to marker, as Pillow does; returns where the body of the first scan header starts. */
  #walk(): number | undefined {
    const view = this.#view;
    let at = 2;
    for (;;) {
      this.#counter.count();
      // Bytes between segments: Pillow skips them, libjpeg warns. A marker may be filled up with more of 0xff.
      if (view.readUInt8(at) !== 0xff) this.#note("JPEG with stray bytes between its segments");
      at = view.indexOf(0xff, at);
      if (at < 0) throw new RangeError("no marker");
      const marker = view.readUInt8(at + 1);
      if (marker === 0xda) return at + 2;
      if (marker < 0xc0 || (marker >= 0xd0 && marker <= 0xd9) || marker === 0xff) {
        this.#note("JPEG with a marker out of place");
        if (marker === 0xd9) return undefined;
        at += marker === 0xff ? 1 : 2;
        continue;
      }
      const length = view.readUInt16BE(at + 2);
      if (length < 2 || at + 2 + length > view.length) this.#note("JPEG with an odd segment");
      this.#segment(marker, view.subarray(at + 4, at + 2 + length));
      at += 2 + Math.max(length, 2);
    }
  }

  #segment(marker: number, body: Buffer): void {
    if (isFrame(marker)) {
      if (this.#frame) this.#note("JPEG with two frames");
      // Which of them counts, readers do not agree on.
      this.#frame = this.#frame ? { ...this.#frame, width: 0, height: 0 } : readFrame(marker, body);
      this.#parts = this.#applications.profileParts;
      if (body.length !== 6 + 3 * this.#frame.components.length) this.#note("JPEG with an odd frame");
    } else if (marker === 0xdb || marker === 0xc4) {
      const defined = tablesOf(marker, body);
      if (!defined) this.#note("JPEG with an odd table");
      for (const name of defined ?? []) this.#tables.add(name);
    } else if (marker >= 0xe0 && marker <= 0xef) {
      this.#note(this.#applications.note(marker, body));
    } else if (marker === 0xdd ? body.length !== 2 : marker !== 0xfe) {
      this.#note("JPEG with an unusual segment");
    }
  }
}

/** SOF0 to SOF15 without DHT, JPG and DAC, which share the range. */
function isFrame(marker: number): boolean {
  return marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc;
}

function readFrame(marker: number, body: Buffer): Frame {
  const components = Array.from({ length: body.readUInt8(5) }, (_, i) => ({
    id: body.readUInt8(6 + 3 * i),
    factors: body.readUInt8(7 + 3 * i),
    table: body.readUInt8(8 + 3 * i),
  }));
  return {
    marker,
    progressive: marker === 0xc2,
    precision: body.readUInt8(0),
    height: body.readUInt16BE(1),
    width: body.readUInt16BE(3),
    components,
  };
}

function doubtOf(frame: Frame, transform: number | undefined, tables: Set<string>): string | undefined {
  const { marker, precision, components } = frame;
  if ([0xc3, 0xc7, 0xcb, 0xcf].includes(marker)) return "lossless JPEG";
  if (marker >= 0xc9) return "JPEG with arithmetic coding";
  if (marker > 0xc2) return "hierarchical JPEG";
  if (precision !== 8) return `${precision}-bit JPEG`;
  if (marker === 0xc1) return "extended sequential JPEG";
  if (components.length === 4) return "CMYK or YCCK JPEG";
  if (components.length !== 1 && components.length !== 3) return `JPEG with ${components.length} components`;
  if (frame.width === 0 || frame.height === 0) return "JPEG without a size in its header";
  if (components.some(({ table }) => !tables.has(`q${table}`))) return "JPEG without its quantisers";
  const [luma, ...chroma] = components;
  if (chroma.length === 0) return luma!.factors === 0x11 ? undefined : "JPEG with unusual sampling";
  if (components.some(({ id }, i) => id !== i + 1) || (transform ?? 1) !== 1) return "JPEG that may be RGB";
  if (!SAMPLINGS[luma!.factors] || chroma.some(({ factors }) => factors !== 0x11)) {
    return "JPEG with unusual sampling";
  }
  // Chroma of two columns or fewer is not smoothed, and no built-in picture shows that.
  return luma!.factors >> 4 === 2 && frame.width < 5 ? "JPEG of fewer than 5 columns" : undefined;
}
