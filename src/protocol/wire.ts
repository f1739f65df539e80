/**
 * Messages as bytes (docs/protocol.md): the twin of `isotorch_worker/protocol/wire.py`. The same golden bytes in `test/fixtures/wire/`
 * are read and written by both. The only file that imports msgpackr.
 */
// Without its native helper, which is for long strings: headers have none, and Python waits while it is loaded.
import { Packr, Unpackr } from "msgpackr/pack";
import { IsotorchError } from "../base/errors.ts";
import { malformed } from "./frames.ts";
import type { Frame } from "./frames.ts";
import type { Fields, MessageType } from "./messages.ts";
import { isPlain } from "./guard.ts";
import { accepts, frameFault, isDtype, isMap, isMessageType, isShape } from "./schema.ts";
import { TABLE } from "./table.ts";

export type { Frame } from "./frames.ts";
export type { Fields, MessageType } from "./messages.ts";

const { dtypes, limits, messages } = TABLE;
export const PROTOCOL_VERSION: number = TABLE.version;
/** Fits the pixels of the largest picture that Pillow opens by default, 178,956,970 of them, in any format. */
export const MAX_FRAME_BYTES: number = limits.frameBytes;

/** Whose a message is: readable whatever stands behind it. */
export interface Address {
  /** The request that it belongs to; 0 where there is none. */
  readonly id: number;
  /** Which start of the worker it belongs to. */
  readonly generation: number;
}

export interface MessageOf<T extends MessageType> extends Address {
  readonly type: T;
  readonly fields: Fields<T>;
  readonly frames: readonly Frame[];
}
export type Message = { [T in MessageType]: MessageOf<T> }[MessageType];

const COMMON_KEYS = ["type", "frames"];
const MAGIC = Buffer.from("iso");
/** The magic, the version, the generation and the id; two numbers of four bytes, the highest first. */
const ADDRESS_BYTES = 12;
const packr = new Packr({ useRecords: false, variableMapSize: true });
const unpackr = new Unpackr({ useRecords: false, mapsAsObjects: true });

/** The frames of a message: the header, which is an address and a map of msgpack, and then the payloads, not copied. */
export function encode({ type, id, generation, fields, frames }: Message): Uint8Array[] {
  const described = frames.map(({ name, dtype, shape }) => ({ name, dtype, shape }));
  const values: Readonly<Record<string, unknown>> = fields;
  const map = packr.pack({
    type,
    // The table's order, not the caller's: both languages must write the same bytes.
    ...Object.fromEntries(Object.keys(messages[type].fields).map((key) => [key, values[key]])),
    ...(frames.length > 0 && { frames: described }),
  });
  const header = Buffer.concat([addressBytes(id, generation), map]);
  if (header.byteLength > limits.headerBytes) {
    throw malformed(`a ${type} header has ${header.byteLength} bytes, at most ${limits.headerBytes} fit`);
  }
  return [header, ...frames.map((frame) => frame.data)];
}

function addressBytes(id: number, generation: number): Buffer {
  const bytes = Buffer.alloc(ADDRESS_BYTES);
  MAGIC.copy(bytes);
  bytes.writeUInt8(PROTOCOL_VERSION, 3);
  bytes.writeUInt32BE(generation, 4);
  bytes.writeUInt32BE(id, 8);
  return bytes;
}

/** Whose message it is; undefined where not even that can be read. It throws nothing. */
export function addressOf([header]: readonly Uint8Array[]): Address | undefined {
  if (header === undefined || versionOf(header) !== PROTOCOL_VERSION) return undefined;
  const view = new DataView(header.buffer, header.byteOffset, header.byteLength);
  return { generation: view.getUint32(4), id: view.getUint32(8) };
}

/** The version that a header is of; undefined where it is none of ours. Version 1 had it in its map, without an address. */
export function versionOf(header: Uint8Array): number | undefined {
  if (header.byteLength >= ADDRESS_BYTES && MAGIC.every((byte, index) => header[index] === byte))
    return header[3];
  if (header.byteLength > limits.headerBytes || !isPlain(header)) return undefined;
  const value: unknown = unpackr.unpack(header);
  return isMap(value) && typeof value["v"] === "number" ? value["v"] : undefined;
}

/**
 * The message in these frames; the payloads are not copied.
 *
 * @throws IsotorchError `PROTOCOL_ERROR` for everything that does not follow docs/protocol.md, and nothing else.
 */
export function decode(parts: readonly Uint8Array[]): Message {
  const { id, generation } = addressIn(parts[0]);
  const map = decodeMap(parts[0]!.subarray(ADDRESS_BYTES));
  const { type } = map;
  if (!isMessageType(type)) throw malformed(`an unknown message type ${show(type)}`);
  // Lengths first: nothing below looks at a payload whose size is not what its descriptor says.
  const frames = decodeFrames(map["frames"], parts.slice(1));
  const fields = decodeFields(type, map);
  const fault = frameFault(type, fields, frames);
  if (fault !== undefined) throw malformed(fault);
  return { type, id, generation, fields, frames } as Message; // checked against the schema of this very type
}

function addressIn(header: Uint8Array | undefined): Address {
  if (header === undefined) throw malformed("a message without frames");
  if (header.byteLength > limits.headerBytes) throw malformed(`a header of ${header.byteLength} bytes`);
  const address = addressOf([header]);
  if (address !== undefined) return address;
  const version = versionOf(header);
  if (version !== undefined) throw otherVersion(version);
  throw malformed("a header of no protocol that is known here");
}

function decodeMap(bytes: Uint8Array): Record<string, unknown> {
  if (!isPlain(bytes)) throw malformed("a header that is not plain msgpack");
  let value: unknown;
  try {
    value = unpackr.unpack(bytes);
  } catch (cause) {
    throw malformed("a header that is not msgpack", cause);
  }
  if (!isMap(value)) throw malformed("a header that is not a map");
  return value;
}

function decodeFields(type: MessageType, map: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const schema = messages[type].fields;
  const stranger = Object.keys(map).find((key) => !COMMON_KEYS.includes(key) && !Object.hasOwn(schema, key));
  if (stranger !== undefined) throw malformed(`${type} has no key ${show(stranger)}`);
  const fields: Record<string, unknown> = {};
  for (const [key, { kind }] of Object.entries(schema)) {
    const value = map[key];
    if (!accepts(kind, value)) throw malformed(`${type}.${key} is ${show(value)}, expected ${kind}`);
    fields[key] = value;
  }
  return fields;
}

function decodeFrames(described: unknown, payloads: readonly Uint8Array[]): Frame[] {
  const list: unknown = described === undefined ? [] : described;
  if (!Array.isArray(list) || list.length !== payloads.length || list.length > limits.frames) {
    throw malformed(`${payloads.length} payload frames against ${show(list)}`);
  }
  return list.map((entry: unknown, index) => {
    const data = payloads[index];
    if (!isMap(entry) || Object.keys(entry).length !== 3 || data === undefined) {
      throw malformed(`a bad frame descriptor ${show(entry)}`);
    }
    const { name, dtype, shape } = entry;
    if (typeof name !== "string" || !isDtype(dtype) || !isShape(shape)) {
      throw malformed(`a bad frame descriptor ${show(entry)}`);
    }
    const expected = shape.reduce((product, size) => product * size, dtypes[dtype]);
    if (expected !== data.byteLength || expected > MAX_FRAME_BYTES) {
      throw malformed(`frame "${name}" has ${data.byteLength} bytes, its shape needs ${expected}`);
    }
    return { name, dtype, shape, data };
  });
}

function show(value: unknown): string {
  const text = JSON.stringify(value, (_, item: unknown) => (typeof item === "bigint" ? `${item}` : item));
  return (text ?? "absent").slice(0, 80);
}

/** `PROTOCOL_ERROR` that names both versions. */
export function otherVersion(version: number): IsotorchError {
  const versions = `the worker speaks ${version}, this controller speaks ${PROTOCOL_VERSION}`;
  return new IsotorchError("PROTOCOL_ERROR", `The wire protocols differ: ${versions}.`, {
    hint: "Install the npm package again: it carries the worker that belongs to it.",
  });
}
