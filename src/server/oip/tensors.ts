/** Tensor data of the protocol: numbers in JSON, flat or nested, or little-endian bytes. */
import { IsotorchError } from "../../errors.ts";
import { MAX_BATCH } from "./metadata.ts";
import type { TensorMetadata } from "./metadata.ts";

/** The one input of a request, item by item. */
export type InputTensor =
  | { readonly name: "input"; readonly items: readonly Float32Array[]; readonly shape: readonly number[] }
  | { readonly name: "pixels"; readonly items: readonly Uint8Array[]; readonly shape: readonly number[] }
  | { readonly name: "image"; readonly items: readonly Uint8Array[] };

type Source = { readonly json: unknown } | { readonly binary: Buffer };

/** @throws IsotorchError `BAD_TENSOR` for another shape, another length, or values that the type has not. */
export function readTensor(metadata: TensorMetadata, shape: unknown, source: Source): InputTensor {
  const count = batchOf(metadata, shape);
  if (metadata.datatype === "BYTES") {
    if ("json" in source) throw bad("pictures come as binary data, with binary_data_size");
    return { name: "image", items: elementsOf(source.binary, count) };
  }
  const item = metadata.shape.slice(1);
  const size = item.reduce((product, length) => product * length, 1);
  if (metadata.datatype === "UINT8") {
    const bytes =
      "json" in source ? Uint8Array.from(numbers(source.json, count * size, isByte)) : source.binary;
    return { name: "pixels", items: cut(sized(bytes, count * size), count, size), shape: item };
  }
  const floats =
    "json" in source
      ? Float32Array.from(numbers(source.json, count * size, Number.isFinite))
      : floatsOf(sized(source.binary, count * size * 4));
  return { name: "input", items: cut(floats, count, size), shape: [1, ...item] };
}

function batchOf({ name, shape: expected }: TensorMetadata, shape: unknown): number {
  const [count = 0, ...rest]: unknown[] = Array.isArray(shape) ? shape : [];
  const isBatch = Number.isInteger(count) && Number(count) >= 1 && Number(count) <= MAX_BATCH;
  if (isBatch && rest.join() === expected.slice(1).join()) return Number(count);
  const wanted = [`1 to ${MAX_BATCH}`, ...expected.slice(1)].join(", ");
  throw bad(`the shape of ${name} is ${JSON.stringify(shape)?.slice(0, 80)}, expected [${wanted}]`);
}

/** Elements of BYTES: a 4-byte length and so many bytes each. */
function elementsOf(binary: Buffer, count: number): Uint8Array[] {
  const elements: Uint8Array[] = [];
  let at = 0;
  while (at + 4 <= binary.length && elements.length < count) {
    const length = binary.readUInt32LE(at);
    at += 4;
    if (length > binary.length - at) throw bad("an element claims more bytes than there are");
    elements.push(new Uint8Array(binary.subarray(at, at + length))); // a copy: it goes to another process
    at += length;
  }
  if (elements.length === count && at === binary.length) return elements;
  throw bad(`the binary data does not hold exactly ${count} elements`);
}

function numbers(json: unknown, expected: number, accepts: (value: number) => boolean): number[] {
  const flat: unknown = Array.isArray(json) ? json.flat(3) : json;
  if (!Array.isArray(flat) || flat.length !== expected) {
    throw bad(`data has ${Array.isArray(flat) ? flat.length : "no"} values, expected ${expected}`);
  }
  for (const value of flat) {
    if (typeof value !== "number" || !accepts(value)) {
      throw bad(`data holds ${JSON.stringify(value)?.slice(0, 40)}, which the datatype has not`);
    }
  }
  return flat as number[];
}

function isByte(value: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= 255;
}

function sized<T extends Uint8Array>(bytes: T, expected: number): T {
  if (bytes.length === expected) return bytes;
  throw bad(`the data has ${bytes.length} bytes, expected ${expected}`);
}

/** A copy: the body may start anywhere, and floats need a place that divides by four. */
function floatsOf(bytes: Uint8Array): Float32Array {
  const copy = new Uint8Array(bytes);
  return new Float32Array(copy.buffer);
}

/** Items of their own memory: a buffer that is handed over belongs to its receiver. */
function cut<T extends Float32Array | Uint8Array>(data: T, count: number, size: number): T[] {
  return Array.from({ length: count }, (_, at) => data.slice(at * size, (at + 1) * size) as T);
}

function bad(why: string): IsotorchError {
  return new IsotorchError("BAD_TENSOR", `Not usable as a tensor: ${why}.`, {
    hint: "GET /v2/models/resnet101 lists the tensors.",
  });
}
