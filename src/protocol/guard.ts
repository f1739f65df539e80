/** Looks through msgpack bytes before a decoder does. */
import { isUtf8 } from "node:buffer";
import { TABLE } from "./table.ts";

const { depth: MAX_DEPTH, listItems, mapItems } = TABLE.limits;

/**
 * Whether the bytes are exactly one value of plain msgpack: maps, lists, strings, numbers, booleans and nil, nested at most
 * four deep. Keys are strings and differ, strings are UTF-8, lists and maps have at most so many items as the protocol says.
 * A decoder would build dates, sets and record readers out of extension bytes, and keep the last of two equal keys.
 */
export function isPlain(bytes: Uint8Array): boolean {
  return behind(new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), 0, 0) === bytes.byteLength;
}

/** The offset behind the value at `at`; NaN where there is no plain value. */
function behind(view: DataView, at: number, depth: number): number {
  if (!(at < view.byteLength) || depth > MAX_DEPTH) return Number.NaN;
  const tag = view.getUint8(at);
  const fixed = FIXED_BYTES[tag] ?? (tag <= 0x7f || tag >= 0xe0 ? 1 : undefined);
  if (fixed !== undefined) return at + fixed <= view.byteLength ? at + fixed : Number.NaN;
  const counted = countedAt(view, at, tag);
  if (counted === undefined) return Number.NaN;
  const { what, count, from } = counted;
  if (what === "text") return textOf(view, from, count) === undefined ? Number.NaN : from + count;
  return what === "list" ? behindList(view, from, count, depth) : behindMap(view, from, count, depth);
}

function behindList(view: DataView, from: number, count: number, depth: number): number {
  if (count > listItems) return Number.NaN;
  let at = from;
  for (let i = 0; i < count && !Number.isNaN(at); i++) at = behind(view, at, depth + 1);
  return at;
}

function behindMap(view: DataView, from: number, count: number, depth: number): number {
  if (count > mapItems) return Number.NaN;
  const keys = new Set<string>();
  let at = from;
  for (let i = 0; i < count && !Number.isNaN(at); i++) {
    const key = keyAt(view, at);
    if (key === undefined || keys.has(key)) return Number.NaN;
    keys.add(key);
    at = behind(view, behind(view, at, depth + 1), depth + 1);
  }
  return at;
}

function keyAt(view: DataView, at: number): string | undefined {
  const counted = at < view.byteLength ? countedAt(view, at, view.getUint8(at)) : undefined;
  return counted?.what === "text" ? textOf(view, counted.from, counted.count) : undefined;
}

/** A text of UTF-8; undefined where it is none, or cut short. */
function textOf(view: DataView, from: number, count: number): string | undefined {
  if (from + count > view.byteLength) return undefined;
  const bytes = Buffer.from(view.buffer, view.byteOffset + from, count);
  return isUtf8(bytes) ? bytes.toString() : undefined;
}

interface Counted {
  readonly what: "text" | "list" | "map";
  /** Bytes of a text, items of a list or a map. */
  readonly count: number;
  /** Where the first of them is. */
  readonly from: number;
}

/** What holds other bytes; undefined for everything that is not plain, or cut short. */
function countedAt(view: DataView, at: number, tag: number): Counted | undefined {
  if (tag >= 0x80 && tag <= 0x8f) return { what: "map", count: tag & 0x0f, from: at + 1 };
  if (tag >= 0x90 && tag <= 0x9f) return { what: "list", count: tag & 0x0f, from: at + 1 };
  if (tag >= 0xa0 && tag <= 0xbf) return { what: "text", count: tag & 0x1f, from: at + 1 };
  const [width, what] = COUNTED[tag] ?? [];
  if (width === undefined || what === undefined || at + 1 + width > view.byteLength) return undefined;
  const count =
    width === 1 ? view.getUint8(at + 1) : width === 2 ? view.getUint16(at + 1) : view.getUint32(at + 1);
  return { what, count, from: at + 1 + width };
}

/** Bytes of values whose size the tag alone tells: nil, false, true, floats and integers. */
const FIXED_BYTES: Readonly<Record<number, number>> = {
  0xc0: 1,
  0xc2: 1,
  0xc3: 1,
  0xca: 5,
  0xcb: 9,
  0xcc: 2,
  0xcd: 3,
  0xce: 5,
  0xcf: 9,
  0xd0: 2,
  0xd1: 3,
  0xd2: 5,
  0xd3: 9,
};

/** Bytes of the count behind the tag of what holds other bytes. */
const COUNTED: Readonly<Record<number, readonly [width: number, what: Counted["what"]]>> = {
  0xd9: [1, "text"],
  0xda: [2, "text"],
  0xdb: [4, "text"],
  0xdc: [2, "list"],
  0xdd: [4, "list"],
  0xde: [2, "map"],
  0xdf: [4, "map"],
};
