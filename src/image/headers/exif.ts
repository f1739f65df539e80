import { type Directory, MAIN_DIRECTORY } from "./exif-tags.ts";

const ORIENTATION = 0x0112;

/** Bytes of a value by its type, 1 to 12; the numbers of TIFF 6.0. */
const SIZES = [0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8];

/** Type that Pillow expects of the tags that it reads while it opens a JPEG: the resolution. */
const RESOLUTION = new Map([
  [0x011a, 5],
  [0x011b, 5],
  [0x0128, 3],
]);

interface Entry {
  readonly tag: number;
  readonly type: number;
  readonly count: number;
  /** Where the value lies. */
  readonly at: number;
}

/** A TIFF block without a fault. */
interface Exif {
  /** 1 to 8; 1 where there is no such tag; undefined where only Pillow can tell what it turns by. */
  readonly orientation: number | undefined;
}

/** The TIFF block of EXIF, or undefined where it is not clean: a magic number, an offset, a type or a size that is off. */
export function readExif(block: Buffer): Exif | undefined {
  try {
    return new Block(block).read();
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    return undefined;
  }
}

class Block {
  readonly #view: Buffer;
  readonly #little: boolean;
  /** Bytes that values outside of their entries may still take: Pillow reads no more than the block has. */
  #left: number;

  constructor(view: Buffer) {
    this.#view = view;
    this.#little = view[0] === 0x49;
    this.#left = view.length;
  }

  read(): Exif | undefined {
    const magic = this.#view.toString("latin1", 0, 4);
    if (magic !== "II*\0" && magic !== "MM\0*") return undefined;
    const main = this.#entries(this.#u32(4));
    if (!main) return undefined;
    const thumbnail = this.#u32(main.end);
    if (thumbnail !== 0 && !this.#entries(thumbnail)) return undefined;
    const odd = main.entries.some(({ tag, type, count }) => {
      const expected = RESOLUTION.get(tag);
      return expected !== undefined && (type !== expected || count !== 1);
    });
    return odd ? undefined : { orientation: this.#orientation(main.entries) };
  }

  #orientation(entries: readonly Entry[]): number | undefined {
    const [entry, ...more] = entries.filter(({ tag }) => tag === ORIENTATION);
    if (!entry) return 1;
    if (more.length > 0 || entry.type !== 3 || entry.count !== 1) return undefined;
    const value = this.#u16(entry.at);
    if (value < 1 || value > 8) return undefined;
    return value === 1 || this.#isWritable(entries, MAIN_DIRECTORY) ? value : undefined;
  }

  /** Whether Pillow can write all of it back, as it does when it turns a picture. */
  #isWritable(entries: readonly Entry[], { tags, inner }: Directory): boolean {
    const seen = new Set<number>();
    return entries.every(({ tag, type, count, at }) => {
      if (seen.has(tag) || count === 0 || !tags.get(tag)?.has(type)) return false;
      seen.add(tag);
      const directory = inner.get(tag);
      if (!directory) return true;
      const found = count === 1 ? this.#entries(this.#u32(at)) : undefined;
      return found !== undefined && this.#isWritable(found.entries, directory);
    });
  }

  /** The entries of a directory and where they end; undefined where one of them is not sound. */
  #entries(at: number): { entries: Entry[]; end: number } | undefined {
    if (at < 8) return undefined;
    const entries: Entry[] = [];
    const end = at + 2 + 12 * this.#u16(at);
    if (end + 4 > this.#view.length) return undefined;
    for (let here = at + 2; here < end; here += 12) {
      const [tag, type, count] = [this.#u16(here), this.#u16(here + 2), this.#u32(here + 4)];
      const bytes = (SIZES[type] ?? 0) * count;
      if (type === 0 || type >= SIZES.length) return undefined;
      if (bytes > 4 && (this.#u32(here + 8) + bytes > this.#view.length || (this.#left -= bytes) < 0)) {
        return undefined;
      }
      entries.push({ tag, type, count, at: bytes > 4 ? this.#u32(here + 8) : here + 8 });
    }
    return { entries, end };
  }

  #u16(at: number): number {
    return this.#little ? this.#view.readUInt16LE(at) : this.#view.readUInt16BE(at);
  }

  #u32(at: number): number {
    return this.#little ? this.#view.readUInt32LE(at) : this.#view.readUInt32BE(at);
  }
}
