import type { Counter } from "../../source/limits.ts";
import { readExif } from "../exif.ts";

const JFIF = "JFIF\0";
const EXIF = "Exif\0\0";
/** Of XMP and of what continues it. */
const XMP = "http://ns.adobe.com/x";
const PROFILE = "ICC_PROFILE\0";
const PHOTOSHOP = "Photoshop 3.0\0";

/** Looks at the application segments of a JPEG, of which Pillow takes some apart and libjpeg others. */
export class Applications {
  /** How the three components are coded, by Adobe's segment: 1 is YCbCr. */
  transform: number | undefined;
  #hasJfif = false;
  #hasXmp = false;
  #exifs = 0;
  #orientation: number | undefined = 1;
  /** Number and count of each part of a profile. */
  readonly #parts: [number, number][] = [];
  readonly #counter: Counter;

  /** @param counter counts what segments hold, one by one. */
  constructor(counter: Counter) {
    this.#counter = counter;
  }

  /** @returns what is odd about the segment; undefined when nothing is. */
  note(marker: number, body: Buffer): string | undefined {
    const starts = (text: string): boolean => body.toString("latin1", 0, text.length) === text;
    if (marker === 0xe0 && starts("JF")) return this.#jfif(body, starts(JFIF));
    if (marker === 0xe1 && starts("Exif\0")) return this.#exif(body, starts(EXIF));
    if (marker === 0xe1 && starts(XMP)) this.#hasXmp = true;
    if (marker === 0xe2 && starts("MPF\0")) return "JPEG with several pictures";
    if (marker === 0xe2 && starts(PROFILE)) {
      if (body.length < 14) return "JPEG with an odd profile";
      this.#parts.push([body.readUInt8(12), body.readUInt8(13)]);
    }
    if (marker === 0xed && starts(PHOTOSHOP) && !areResources(body, this.#counter))
      return "JPEG with odd Photoshop data";
    if (marker !== 0xee || !starts("Adobe")) return undefined;
    if (body.length !== 12 || this.transform !== undefined) return "JPEG with an odd Adobe segment";
    this.transform = body.readUInt8(11);
    return undefined;
  }

  /** What is odd about a profile of which no more parts may follow; undefined when nothing is. */
  get oddProfile(): string | undefined {
    const numbers = new Set(this.#parts.map(([number]) => number));
    const total = this.#parts.length;
    const whole = this.#parts.every(([number, count]) => number >= 1 && number <= total && count === total);
    return whole && numbers.size === total ? undefined : "JPEG with an odd profile";
  }

  get hasProfile(): boolean {
    return this.#parts.length > 0;
  }

  get profileParts(): number {
    return this.#parts.length;
  }

  get orientation(): number | undefined {
    return this.#hasXmp ? undefined : this.#orientation;
  }

  #jfif(body: Buffer, isJfif: boolean): string | undefined {
    const thumbnail = body.length < 14 ? -1 : 3 * body.readUInt8(12) * body.readUInt8(13);
    if (isJfif && !this.#hasJfif && body[5] === 1 && body.length === 14 + thumbnail) {
      this.#hasJfif = true;
      return undefined;
    }
    return "JPEG with an odd JFIF segment";
  }

  #exif(body: Buffer, isExif: boolean): string | undefined {
    const exif = isExif && this.#exifs++ === 0 ? readExif(body.subarray(EXIF.length)) : undefined;
    if (!exif) return "JPEG with odd EXIF";
    this.#orientation = exif.orientation;
    return undefined;
  }
}

/** Whether the segment is filled with Photoshop's resources, as Pillow walks through them. */
function areResources(body: Buffer, counter: Counter): boolean {
  let at = PHOTOSHOP.length;
  while (at + 12 <= body.length && body.toString("latin1", at, at + 4) === "8BIM") {
    counter.count();
    const code = body.readUInt16BE(at + 4);
    at += 7 + body.readUInt8(at + 6);
    at += at & 1;
    if (at + 4 > body.length) return false;
    const size = body.readUInt32BE(at);
    if (at + 4 + size > body.length || (code === 0x03ed && size < 16)) return false;
    at += 4 + size;
    at += at & 1;
  }
  return at >= body.length;
}
