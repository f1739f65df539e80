/** The payloads of a message, as values of this language. */
import { IsotorchError } from "../base/errors.ts";
import type { Dtype } from "./messages.ts";
import { isMap } from "./schema.ts";

/** One raw payload: `shape` x the dtype's item size is exactly `data.byteLength`. */
export interface Frame {
  readonly name: string;
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  readonly data: Uint8Array;
}

/** A file as a frame. */
export function encodedFrame(bytes: Uint8Array): Frame {
  return { name: "encoded", dtype: "|u1", shape: [bytes.byteLength], data: bytes };
}

/** A frame by its name; its absence is a protocol error. */
export function frameOf(message: { readonly frames: readonly Frame[] }, name: string): Frame {
  const found = message.frames.find((frame) => frame.name === name);
  if (found === undefined) throw malformed(`the frame "${name}" is missing`);
  return found;
}

/** The frame's values as float32; copies only where the bytes are not aligned. */
export function floatsOf({ name, dtype, data }: Frame): Float32Array {
  if (dtype !== "<f4") throw malformed(`frame "${name}" is ${dtype}, expected <f4`);
  if (data.byteOffset % 4 !== 0) return new Float32Array(Uint8Array.from(data).buffer);
  return new Float32Array(data.buffer, data.byteOffset, data.byteLength / 4);
}

/** The frame's values as numbers, from int64. */
export function integersOf({ name, dtype, data }: Frame): number[] {
  if (dtype !== "<i8") throw malformed(`frame "${name}" is ${dtype}, expected <i8`);
  return Array.from(new BigInt64Array(Uint8Array.from(data).buffer), Number);
}

/** The frame's text, from a UTF-8 JSON array of strings. */
export function stringsOf(frame: Frame): string[] {
  const value = jsonOf(frame);
  if (Array.isArray(value) && value.every((item) => typeof item === "string")) return value;
  throw malformed(`frame "${frame.name}" is not a list of strings`);
}

/** The frame's texts by their names, from a UTF-8 JSON object. */
export function textsOf(frame: Frame): Record<string, string> {
  const value = jsonOf(frame);
  if (isMap(value)) {
    const texts = Object.entries(value).filter(
      (entry): entry is [string, string] => typeof entry[1] === "string",
    );
    if (texts.length === Object.keys(value).length) return Object.fromEntries(texts);
  }
  throw malformed(`frame "${frame.name}" is not an object of strings`);
}

function jsonOf({ name, data }: Frame): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(data));
  } catch (cause) {
    throw malformed(`frame "${name}" is not UTF-8 JSON`, cause);
  }
}

/** `PROTOCOL_ERROR`: what does not follow docs/protocol.md. */
export function malformed(what: string, cause?: unknown): IsotorchError {
  return new IsotorchError("PROTOCOL_ERROR", `Malformed message: ${what}`, { cause });
}
