/** Looks through msgpack bytes before a decoder does. */

const MAX_DEPTH = 4;

/**
 * Whether the bytes are exactly one value of plain msgpack: maps, lists, strings, numbers, booleans and nil, nested
 * at most four deep. A decoder would build dates, sets and record readers out of extension bytes; it never sees them.
 */
export function isPlain(bytes: Uint8Array): boolean {
  return behind(new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), 0, 0) === bytes.byteLength;
}

/** The offset behind the value at `at`; NaN where there is no plain value. */
function behind(view: DataView, at: number, depth: number): number {
  if (!(at < view.byteLength) || depth > MAX_DEPTH) return Number.NaN;
  const tag = view.getUint8(at);
  if (tag <= 0x7f || tag >= 0xe0) return at + 1;
  if (tag <= 0x8f) return behindItems(view, at + 1, (tag & 0x0f) * 2, depth);
  if (tag <= 0x9f) return behindItems(view, at + 1, tag & 0x0f, depth);
  if (tag <= 0xbf) return within(view, at + 1 + (tag & 0x1f));
  const fixed = FIXED_BYTES[tag];
  if (fixed !== undefined) return within(view, at + fixed);
  const [width, perItem] = COUNTED[tag] ?? [0, 0];
  if (width === 0 || at + 1 + width > view.byteLength) return Number.NaN;
  const count =
    width === 1 ? view.getUint8(at + 1) : width === 2 ? view.getUint16(at + 1) : view.getUint32(at + 1);
  const start = at + 1 + width;
  return perItem === 0 ? within(view, start + count) : behindItems(view, start, count * perItem, depth);
}

function behindItems(view: DataView, start: number, count: number, depth: number): number {
  let at = start;
  // An item has at least one byte: a count that lies runs out of bytes and ends the loop.
  for (let i = 0; i < count && !Number.isNaN(at); i++) at = behind(view, at, depth + 1);
  return at;
}

function within(view: DataView, end: number): number {
  return end <= view.byteLength ? end : Number.NaN;
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

/** Bytes of the count behind the tag, and values per item: strings (0), lists (1), maps (2). */
const COUNTED: Readonly<Record<number, readonly [width: number, perItem: number]>> = {
  0xd9: [1, 0],
  0xda: [2, 0],
  0xdb: [4, 0],
  0xdc: [2, 1],
  0xdd: [4, 1],
  0xde: [2, 2],
  0xdf: [4, 2],
};
