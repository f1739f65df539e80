/** Tensor data of the protocol: numbers in JSON, flat or nested, little-endian bytes, or pictures. */
import { encodedItem, fromBase64 } from "./json.ts";
import type { JsonData } from "./json.ts";
import { MAX_BATCH } from "./metadata.ts";
import type { TensorMetadata } from "./metadata.ts";
import { badTensor, show } from "./refusal.ts";

/** The one input of a request, item by item. */
export type InputTensor =
  | { readonly name: "input"; readonly items: readonly Float32Array[]; readonly shape: readonly number[] }
  | { readonly name: "pixels"; readonly items: readonly Uint8Array[]; readonly shape: readonly number[] }
  | { readonly name: "image"; readonly items: readonly Uint8Array[] };

export type Source = { readonly json: JsonData } | { readonly binary: Buffer };

/**
 * @param isBase64 whether also the elements of binary BYTES are base64, as MLServer's `content_type` says.
 * @throws IsotorchError `BAD_TENSOR` for another shape, another length, or values that the type has not.
 */
export async function readTensor(
  metadata: TensorMetadata,
  shape: unknown,
  source: Source,
  isBase64: boolean,
): Promise<InputTensor> {
  const count = batchOf(metadata, shape);
  if (metadata.datatype === "BYTES") return { name: "image", items: picturesOf(source, count, isBase64) };
  const item = metadata.shape.slice(1);
  const size = item.reduce((product, length) => product * length, 1);
  if (metadata.datatype === "UINT8") {
    const bytes =
      "json" in source
        ? await filled(source.json, new Uint8Array(count * size), isByte)
        : sized(source.binary, count * size);
    return { name: "pixels", items: cut(bytes, count, size), shape: item };
  }
  const floats =
    "json" in source
      ? await filled(source.json, new Float32Array(count * size), Number.isFinite)
      : floatsOf(sized(source.binary, count * size * 4));
  return { name: "input", items: cut(floats, count, size), shape: [1, ...item] };
}

/** Pictures as BYTES come as `[N]` or, as Triton batches them, `[N, 1]`. */
function batchOf({ name, shape: expected }: TensorMetadata, shape: unknown): number {
  const [count, ...rest]: unknown[] = Array.isArray(shape) ? shape : [];
  const isBatch = Number.isInteger(count) && Number(count) >= 1 && Number(count) <= MAX_BATCH;
  const item = expected.slice(1);
  const isSame = rest.length === item.length && rest.every((length, at) => length === item[at]);
  const isRow = name === "image" && rest.length === 0;
  if (isBatch && (isSame || isRow)) return Number(count);
  const wanted = [`1 to ${MAX_BATCH}`, ...item].join(", ");
  throw badTensor(`the shape of ${name} is ${show(shape)}, expected [${wanted}]`);
}

function picturesOf(source: Source, count: number, isBase64: boolean): Uint8Array[] {
  if ("binary" in source) {
    const elements = elementsOf(source.binary, count);
    return isBase64 ? elements.map((text) => fromBase64(Buffer.from(text).toString("latin1"))) : elements;
  }
  const given = source.json.items();
  const items: unknown[] = Array.isArray(given) ? given.flat() : [];
  if (items.length !== count) throw badTensor(`data has ${items.length} elements, expected ${count}`);
  return items.map(encodedItem);
}

/** Elements of BYTES: a 4-byte length and so many bytes each. */
function elementsOf(binary: Buffer, count: number): Uint8Array[] {
  const elements: Uint8Array[] = [];
  let at = 0;
  while (at + 4 <= binary.length && elements.length < count) {
    const length = binary.readUInt32LE(at);
    at += 4;
    if (length > binary.length - at) throw badTensor("an element claims more bytes than there are");
    elements.push(new Uint8Array(binary.subarray(at, at + length))); // a copy: it goes to another process
    at += length;
  }
  if (elements.length === count && at === binary.length) return elements;
  throw badTensor(`the binary data does not hold exactly ${count} elements`);
}

async function filled<T extends Float32Array | Uint8Array>(
  json: JsonData,
  into: T,
  accepts: (value: number) => boolean,
): Promise<T> {
  const { count } = json;
  if (count === undefined) throw badTensor("data holds texts or objects, expected numbers");
  if (count !== into.length) throw badTensor(`data has ${count} values, expected ${into.length}`);
  await json.numbers(into, accepts);
  return into;
}

function isByte(value: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= 255;
}

function sized(bytes: Uint8Array, expected: number): Uint8Array {
  if (bytes.length === expected) return bytes;
  throw badTensor(`the data has ${bytes.length} bytes, expected ${expected}`);
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
