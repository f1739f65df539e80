import type { Counter } from "../source/limits.ts";
import type { HeaderFacts } from "./facts.ts";

/** Tags that list where the parts of the picture are: strips, tiles. */
const PARTS = new Set([273, 324]);
/** Bytes of a value by its type. */
const SIZES: Readonly<Record<number, number>> = { 3: 2, 4: 4, 13: 4, 16: 8, 17: 8, 18: 8 };
/** A file may have a strip for each so many of its bytes without any being counted. */
const COMMON_STRIP = 1_024;

/** How numbers stand in a file. */
interface Reader {
  readonly view: Buffer;
  readonly little: boolean;
  /** BigTIFF, whose offsets have 8 bytes. */
  readonly big: boolean;
}

interface Entry {
  readonly tag: number;
  readonly type: number;
  readonly count: number;
  /** Where the value is, or where it is told. */
  readonly at: number;
}

/** TIFF alone: of BigTIFF, and of the two that mix the byte orders up, which not every Pillow reads alike, no size is told. */
export function tiff(view: Buffer, parts: Counter): Pick<HeaderFacts, "width" | "height" | "mode"> {
  const magic = view.toString("latin1", 0, 4);
  const little = view[0] === 0x49;
  const isPlain = magic === "II*\0" || magic === "MM\0*";
  if (magic.includes("+")) countParts({ view, little, big: true }, parts);
  const found = countParts({ view, little, big: false }, parts);
  const unknown = { width: 0, height: 0, mode: undefined };
  if (!isPlain || !found) return unknown;
  const sizes = [256, 257].map((tag) => sizeOf({ view, little, big: false }, found, tag));
  const [width = 0, height = 0] = sizes;
  return { width, height, mode: undefined };
}

/** 0 where the tag is not there, is there twice, or is no single number. */
function sizeOf(reader: Reader, entries: readonly Entry[], wanted: number): number {
  const [entry, ...more] = entries.filter(({ tag }) => tag === wanted);
  if (!entry || more.length > 0 || (entry.type !== 3 && entry.type !== 4) || entry.count !== 1) return 0;
  return entry.type === 3 ? number(reader, entry.at, 2) : number(reader, entry.at, 4);
}

/** The entries of the first directory; undefined where the file ends before them. @throws IsotorchError `INPUT_TOO_LARGE`. */
function countParts(reader: Reader, parts: Counter): Entry[] | undefined {
  try {
    const entries = entriesOf(reader, parts);
    for (const { tag, type, count } of entries) {
      // What the file has no room for is not gone through.
      const isThere = count * (SIZES[type] ?? 0) <= reader.view.length;
      if (PARTS.has(tag) && isThere) parts.count(Math.max(0, count - reader.view.length / COMMON_STRIP));
    }
    return entries;
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    return undefined;
  }
}

function entriesOf(reader: Reader, parts: Counter): Entry[] {
  const { big } = reader;
  const directory = big ? number(reader, 8, 8) : number(reader, 4, 4);
  const total = number(reader, directory, big ? 8 : 2);
  const entries: Entry[] = [];
  for (let i = 0, at = directory + (big ? 8 : 2); i < total; i++, at += big ? 20 : 12) {
    parts.count();
    entries.push({
      tag: number(reader, at, 2),
      type: number(reader, at + 2, 2),
      count: number(reader, at + 4, big ? 8 : 4),
      at: at + (big ? 12 : 8),
    });
  }
  return entries;
}

/** @throws RangeError where it is not in the file. */
function number({ view, little }: Reader, at: number, bytes: 2 | 4 | 8): number {
  if (bytes < 8) return little ? view.readUIntLE(at, bytes) : view.readUIntBE(at, bytes);
  return Number(little ? view.readBigUInt64LE(at) : view.readBigUInt64BE(at));
}
