/** Inference requests and answers of the Open Inference Protocol, version 2, with binary tensors. */
import { isRecord, parseRecord } from "../base/files/json.ts";
import { malformed } from "./failure.ts";
import type { Reply } from "./http.ts";

export type DataType = "FP32" | "UINT8" | "INT32" | "INT64" | "BYTES";

export interface InputTensor {
  readonly name: string;
  readonly datatype: DataType;
  readonly shape: readonly number[];
  readonly data: Uint8Array;
}

export interface OutputRequest {
  readonly name: string;
  /** So many `value:index:label` in place of the tensor. */
  readonly classes?: number;
}

export interface InferRequest {
  readonly id: string;
  readonly input: InputTensor;
  readonly outputs: readonly OutputRequest[];
  /** What a server of ours is asked for besides. */
  readonly parameters?: Readonly<Record<string, string>>;
  /** What is left of the caller's patience, milliseconds; undefined where it has no end. */
  readonly timeoutMs: number | undefined;
}

/** Numbers, or the texts of `BYTES`. */
export interface OutputTensor {
  readonly shape: readonly number[];
  readonly data: Float32Array | readonly number[] | readonly string[];
}

/** `Inference-Header-Content-Length` says where the JSON ends and the tensor begins. */
export const JSON_LENGTH = "inference-header-content-length";
/** As much as `isotorch serve` takes: the largest network on a slow CPU has an hour. */
const LONGEST_MS = 7_200_000;

/** Headers and body of a request. */
export function encodeInfer({ id, input, outputs, parameters, timeoutMs }: InferRequest): {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: readonly Uint8Array[];
} {
  const { name, datatype, shape, data } = input;
  // The protocol has no deadline of its own: Triton takes `timeout` in microseconds, ours takes the header.
  const patience =
    timeoutMs === undefined ? undefined : Math.min(LONGEST_MS, Math.max(1, Math.ceil(timeoutMs)));
  const binary = datatype === "BYTES" ? [lengthOf(data), data] : [data];
  const size = binary.reduce((sum, part) => sum + part.byteLength, 0);
  const json = Buffer.from(
    JSON.stringify({
      id,
      ...((parameters !== undefined || patience !== undefined) && {
        parameters: { ...parameters, ...(patience !== undefined && { timeout: patience * 1_000 }) },
      }),
      inputs: [{ name, shape, datatype, parameters: { binary_data_size: size } }],
      outputs: outputs.map(({ name: output, classes }) => ({
        name: output,
        parameters: classes === undefined ? { binary_data: true } : { classification: classes },
      })),
    }),
  );
  return {
    headers: {
      "content-type": "application/octet-stream",
      [JSON_LENGTH]: String(json.length),
      ...(patience !== undefined && { "x-request-timeout-ms": String(patience) }),
    },
    body: [json, ...binary],
  };
}

/**
 * The output tensors of an answer by their names; sizes and shapes are those that they claim to be.
 *
 * @throws IsotorchError `PROTOCOL_ERROR`.
 */
export function decodeInfer({ headers, body }: Reply, id: string): ReadonlyMap<string, OutputTensor> {
  const [json, binary] = split(body, headers[JSON_LENGTH]);
  const answer = parseRecord(json.toString());
  if (answer["id"] !== undefined && answer["id"] !== id) throw malformed("it belongs to another request");
  const { outputs } = answer;
  if (!Array.isArray(outputs)) throw malformed("it has no outputs");
  const tensors = new Map<string, OutputTensor>();
  let at = 0;
  for (const output of outputs as unknown[]) {
    const { name, datatype, shape, data, parameters } = isRecord(output) ? output : {};
    if (typeof name !== "string" || !isShape(shape)) throw malformed("an output has no name or no shape");
    const count = shape.reduce((product, size) => product * size, 1);
    const size = isRecord(parameters) ? parameters["binary_data_size"] : undefined;
    if (typeof size !== "number") {
      tensors.set(name, { shape, data: fromJson(name, data, count) });
      continue;
    }
    const bytes = binary.subarray(at, at + size);
    if (!Number.isSafeInteger(size) || size < 0 || bytes.length !== size)
      throw malformed(`${name} is cut short`);
    at += size;
    tensors.set(name, { shape, data: fromBytes(name, datatype, bytes, count) });
  }
  if (at !== binary.length) throw malformed(`${binary.length - at} bytes belong to no output`);
  return tensors;
}

function split(body: Buffer, header: string | string[] | undefined): readonly [json: Buffer, binary: Buffer] {
  if (header === undefined) return [body, body.subarray(body.length)];
  const length = /^\d{1,9}$/.test(String(header)) ? Number(header) : -1;
  if (length < 0 || length > body.length) throw malformed("its JSON is cut short");
  return [body.subarray(0, length), body.subarray(length)];
}

function fromJson(name: string, data: unknown, count: number): readonly number[] | readonly string[] {
  const flat: unknown = Array.isArray(data) ? data.flat(3) : data;
  if (!Array.isArray(flat) || flat.length !== count)
    throw malformed(`${name} has not the values of its shape`);
  if (flat.every((value) => typeof value === "number")) return flat;
  if (flat.every((value) => typeof value === "string")) return flat;
  throw malformed(`${name} holds neither numbers nor texts`);
}

const WIDTHS: Readonly<Record<string, number>> = { FP32: 4, INT32: 4, INT64: 8 };

function fromBytes(name: string, datatype: unknown, bytes: Buffer, count: number): OutputTensor["data"] {
  if (datatype === "BYTES") return textsOf(name, bytes, count);
  const width = WIDTHS[String(datatype)];
  if (width === undefined) throw malformed(`${name} has the datatype ${JSON.stringify(datatype)}`);
  if (bytes.length !== count * width) throw malformed(`${name} has not the bytes of its shape`);
  // A copy of its own: the body may start anywhere, and floats need a place that divides by four.
  const { buffer } = Uint8Array.from(bytes);
  if (datatype === "FP32") return new Float32Array(buffer);
  return datatype === "INT32" ? [...new Int32Array(buffer)] : Array.from(new BigInt64Array(buffer), Number);
}

function textsOf(name: string, bytes: Buffer, count: number): string[] {
  const texts: string[] = [];
  let at = 0;
  while (at + 4 <= bytes.length) {
    const end = at + 4 + bytes.readUInt32LE(at);
    if (end > bytes.length) break;
    texts.push(bytes.toString("utf8", at + 4, end));
    at = end;
  }
  if (at !== bytes.length || texts.length !== count)
    throw malformed(`${name} has not the texts of its shape`);
  return texts;
}

function lengthOf(data: Uint8Array): Uint8Array {
  const length = Buffer.alloc(4);
  length.writeUInt32LE(data.byteLength);
  return length;
}

function isShape(shape: unknown): shape is number[] {
  return (
    Array.isArray(shape) &&
    shape.length <= 8 &&
    shape.every((size) => Number.isSafeInteger(size) && (size as number) >= 0)
  );
}
