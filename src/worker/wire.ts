/**
 * Messages as bytes, protocol version 1 (docs/protocol.md). The twin of `isotorch_worker/wire.py`:
 * same names, same order, same golden bytes in `test/fixtures/wire/`. The only file that imports msgpackr.
 */
import { Packr, Unpackr } from "msgpackr";
import { IsotorchError } from "../errors.ts";

export const PROTOCOL_VERSION = 1;
export const MAX_HEADER_BYTES = 4096;
export const MAX_FRAMES = 8;
/** Fits the pixels of the largest picture that is decoded in the worker, 50 megapixels. */
export const MAX_FRAME_BYTES: number = 160 * 1024 * 1024;
const MAX_DEPTH = 4;

/** Bytes per element of each dtype that may cross. */
export const ITEM_BYTES: Readonly<Record<Dtype, number>> = { "<f4": 4, "<i8": 8, "|u1": 1 };
export type Dtype = "<f4" | "<i8" | "|u1";

/** Every message type with its fields; a trailing `?` means "or null". */
const FIELDS = {
  hello: { protocol: "int", package: "str", proof: "str", pid: "int", python: "str", executable: "str" },
  load: {
    model: "str",
    checkpoint: "str",
    sha256: "str?",
    trust: "bool",
    seed: "int?",
    transforms: "str",
    device: "str",
    precision: "str",
    threads: "int",
  },
  progress: { phase: "str", fraction: "float?" },
  ready: {
    versions: "texts",
    device: "str",
    deviceName: "str",
    deviceReason: "str",
    threads: "int",
    precision: "str",
    sha256: "str",
    spec: "map",
    warmupMs: "float",
  },
  infer: { handoff: "str", topK: "int", include: "strs", deadlineMs: "float?" },
  decode: { exif: "str", icc: "str", mode: "str", deadlineMs: "float?" },
  result: { timings: "floats" },
  error: { code: "str", message: "str", hint: "str?" },
  cancel: {},
  ping: {},
  pong: {},
  stop: {},
  log: { level: "str", message: "str" },
} as const;

const COMMON_KEYS = ["v", "type", "id", "generation", "frames"];

interface FieldTypes {
  int: number;
  "int?": number | null;
  float: number;
  "float?": number | null;
  str: string;
  "str?": string | null;
  bool: boolean;
  strs: readonly string[];
  texts: Readonly<Record<string, string>>;
  floats: Readonly<Record<string, number>>;
  map: Readonly<Record<string, unknown>>;
}
type FieldKind = keyof FieldTypes;
type Schema = Readonly<Record<string, FieldKind>>;

export type MessageType = keyof typeof FIELDS;
export type Fields<T extends MessageType> = {
  readonly [K in keyof (typeof FIELDS)[T]]: (typeof FIELDS)[T][K] extends FieldKind
    ? FieldTypes[(typeof FIELDS)[T][K]]
    : never;
};

/** One raw payload: `shape` x the dtype's item size is exactly `data.byteLength`. */
export interface Frame {
  readonly name: string;
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  readonly data: Uint8Array;
}

export interface MessageOf<T extends MessageType> {
  readonly type: T;
  /** The request that it belongs to; 0 where there is none. */
  readonly id: number;
  /** Which start of the worker it belongs to. */
  readonly generation: number;
  readonly fields: Fields<T>;
  readonly frames: readonly Frame[];
}
export type Message = { [T in MessageType]: MessageOf<T> }[MessageType];

const packr = new Packr({ useRecords: false, variableMapSize: true });
const unpackr = new Unpackr({ useRecords: false, mapsAsObjects: true });

/** The frames of a message: the msgpack header and then the payloads, not copied. */
export function encode(message: Message): Uint8Array[] {
  const { type, id, generation, fields, frames } = message;
  const described = frames.map(({ name, dtype, shape }) => ({ name, dtype, shape }));
  const header = packr.pack({
    v: PROTOCOL_VERSION,
    type,
    id,
    generation,
    ...fields,
    ...(frames.length > 0 && { frames: described }),
  });
  if (header.byteLength > MAX_HEADER_BYTES) {
    throw protocolError(`a ${type} header has ${header.byteLength} bytes, at most ${MAX_HEADER_BYTES} fit`);
  }
  return [header, ...frames.map((frame) => frame.data)];
}

/**
 * The message in these frames.
 *
 * @throws IsotorchError `PROTOCOL_ERROR` for everything that is not a well-formed message, and nothing else.
 */
export function decode(parts: readonly Uint8Array[]): Message {
  const header = parts[0];
  if (header === undefined) throw protocolError("a message without frames");
  const map = decodeHeader(header);
  if (map["v"] !== PROTOCOL_VERSION) {
    throw protocolError(`it speaks protocol ${show(map["v"])}, this side speaks ${PROTOCOL_VERSION}`);
  }
  const type = map["type"];
  if (!isMessageType(type)) throw protocolError(`an unknown message type ${show(type)}`);
  const schema: Schema = FIELDS[type];
  const stranger = Object.keys(map).find((key) => !COMMON_KEYS.includes(key) && !Object.hasOwn(schema, key));
  if (stranger !== undefined) throw protocolError(`${type} has no key "${stranger.slice(0, 40)}"`);
  const fields: Record<string, unknown> = {};
  for (const [key, kind] of Object.entries(schema)) {
    const value = map[key];
    if (!CHECKS[kind](value)) throw protocolError(`${type}.${key} is ${show(value)}, expected ${kind}`);
    fields[key] = value;
  }
  return {
    type,
    id: counter(map["id"], "id"),
    generation: counter(map["generation"], "generation"),
    fields,
    frames: decodeFrames(map["frames"], parts.slice(1)),
  } as Message; // the fields were checked one by one against the schema of this very type
}

/** A frame by its name; its absence is a protocol error. */
export function frameOf(message: Message, name: string): Frame {
  const found = message.frames.find((frame) => frame.name === name);
  if (found === undefined) throw protocolError(`${message.type} lacks its frame "${name}"`);
  return found;
}

/** The frame's values as float32; copies only where the bytes are not aligned. */
export function floatsOf(frame: Frame): Float32Array {
  if (frame.dtype !== "<f4") throw protocolError(`frame "${frame.name}" is ${frame.dtype}, expected <f4`);
  const { buffer, byteOffset, byteLength } = frame.data;
  if (byteOffset % 4 !== 0) return new Float32Array(frame.data.slice().buffer);
  return new Float32Array(buffer, byteOffset, byteLength / 4);
}

/** The frame's values as numbers, from int64. */
export function integersOf(frame: Frame): number[] {
  if (frame.dtype !== "<i8") throw protocolError(`frame "${frame.name}" is ${frame.dtype}, expected <i8`);
  return Array.from(new BigInt64Array(frame.data.slice().buffer), Number);
}

/** The frame's text, from a UTF-8 JSON array of strings. */
export function stringsOf(frame: Frame): string[] {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(frame.data));
  } catch (cause) {
    throw protocolError(`frame "${frame.name}" is not UTF-8 JSON`, cause);
  }
  if (!CHECKS.strs(value)) throw protocolError(`frame "${frame.name}" is not a list of strings`);
  return value as string[];
}

function decodeHeader(bytes: Uint8Array): Record<string, unknown> {
  if (bytes.byteLength > MAX_HEADER_BYTES) {
    throw protocolError(`a header of ${bytes.byteLength} bytes, at most ${MAX_HEADER_BYTES} are allowed`);
  }
  const end = skipPlain(bytes, 0, 0);
  if (end !== bytes.byteLength) throw protocolError("bytes after the header's map");
  let value: unknown;
  try {
    value = unpackr.unpack(bytes);
  } catch (cause) {
    throw protocolError("the header is not msgpack", cause);
  }
  if (!isMap(value)) throw protocolError("the header is not a map");
  return value;
}

function decodeFrames(described: unknown, payloads: readonly Uint8Array[]): Frame[] {
  const list: unknown = described ?? [];
  if (!Array.isArray(list) || list.length !== payloads.length || list.length > MAX_FRAMES) {
    throw protocolError(`${payloads.length} payload frames against the header's ${show(list)}`);
  }
  return list.map((entry: unknown, index) => {
    const data = payloads[index];
    if (!isMap(entry) || data === undefined) throw protocolError("a frame descriptor that is not a map");
    const { name, dtype, shape } = entry;
    if (typeof name !== "string" || !isDtype(dtype) || !isShape(shape)) {
      throw protocolError(`a bad frame descriptor ${show(entry)}`);
    }
    const expected = shape.reduce((product, size) => product * size, ITEM_BYTES[dtype]);
    if (expected !== data.byteLength) {
      throw protocolError(`frame "${name}" has ${data.byteLength} bytes, its shape needs ${expected}`);
    }
    return { name, dtype, shape, data };
  });
}

/**
 * The offset behind the value at `at`, for plain msgpack only. msgpackr would build dates, sets and record
 * readers out of extension bytes, so nothing but maps, lists, strings, numbers, booleans and nil gets to it.
 */
function skipPlain(bytes: Uint8Array, at: number, depth: number): number {
  const tag = bytes[at];
  if (tag === undefined) throw protocolError("a truncated header");
  if (depth > MAX_DEPTH) throw protocolError("a header that is nested too deeply");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const size = (offset: number, width: 1 | 2 | 4): number => {
    if (offset + width > bytes.byteLength) throw protocolError("a truncated header");
    if (width === 1) return view.getUint8(offset);
    return width === 2 ? view.getUint16(offset) : view.getUint32(offset);
  };
  const over = (end: number): number => {
    if (end > bytes.byteLength) throw protocolError("a truncated header");
    return end;
  };
  const items = (start: number, count: number): number => {
    let offset = start;
    for (let i = 0; i < count; i++) offset = skipPlain(bytes, offset, depth + 1);
    return offset;
  };
  if (tag <= 0x7f || tag >= 0xe0) return at + 1;
  if (tag <= 0x8f) return items(at + 1, (tag & 0x0f) * 2);
  if (tag <= 0x9f) return items(at + 1, tag & 0x0f);
  if (tag <= 0xbf) return over(at + 1 + (tag & 0x1f));
  switch (tag) {
    case 0xc0: // nil
    case 0xc2: // false
    case 0xc3: // true
      return at + 1;
    case 0xcc: // uint8, int8
    case 0xd0:
      return over(at + 2);
    case 0xcd: // uint16, int16
    case 0xd1:
      return over(at + 3);
    case 0xca: // float32, uint32, int32
    case 0xce:
    case 0xd2:
      return over(at + 5);
    case 0xcb: // float64, uint64, int64
    case 0xcf:
    case 0xd3:
      return over(at + 9);
    case 0xd9: // str8, str16, str32
      return over(at + 2 + size(at + 1, 1));
    case 0xda:
      return over(at + 3 + size(at + 1, 2));
    case 0xdb:
      return over(at + 5 + size(at + 1, 4));
    case 0xdc: // array16, array32
      return items(at + 3, size(at + 1, 2));
    case 0xdd:
      return items(at + 5, size(at + 1, 4));
    case 0xde: // map16, map32
      return items(at + 3, size(at + 1, 2) * 2);
    case 0xdf:
      return items(at + 5, size(at + 1, 4) * 2);
    default:
      throw protocolError("a header with binary or extension types");
  }
}

const CHECKS: Readonly<Record<FieldKind, (value: unknown) => boolean>> = {
  int: (value) => Number.isSafeInteger(value),
  "int?": (value) => value === null || Number.isSafeInteger(value),
  float: (value) => Number.isFinite(value),
  "float?": (value) => value === null || Number.isFinite(value),
  str: (value) => typeof value === "string",
  "str?": (value) => value === null || typeof value === "string",
  bool: (value) => typeof value === "boolean",
  strs: (value) => Array.isArray(value) && value.every((item) => typeof item === "string"),
  texts: (value) => isMap(value) && Object.values(value).every((item) => typeof item === "string"),
  floats: (value) => isMap(value) && Object.values(value).every((item) => Number.isFinite(item)),
  map: (value) => isMap(value),
};

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isMessageType(value: unknown): value is MessageType {
  return typeof value === "string" && Object.hasOwn(FIELDS, value);
}

function isDtype(value: unknown): value is Dtype {
  return typeof value === "string" && Object.hasOwn(ITEM_BYTES, value);
}

function isShape(value: unknown): value is number[] {
  return (
    Array.isArray(value) &&
    value.length >= 1 &&
    value.length <= 4 &&
    value.every((size) => Number.isSafeInteger(size) && size >= 0)
  );
}

function counter(value: unknown, key: string): number {
  if (!Number.isSafeInteger(value) || (value as number) < 0) throw protocolError(`${key} is ${show(value)}`);
  return value as number;
}

function show(value: unknown): string {
  return (
    JSON.stringify(value, (_, item: unknown) => (typeof item === "bigint" ? String(item) : item)) ?? "absent"
  ).slice(0, 80);
}

function protocolError(what: string, cause?: unknown): IsotorchError {
  return new IsotorchError("PROTOCOL_ERROR", `Malformed message: ${what}.`, { cause });
}
