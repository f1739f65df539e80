/** The answer of an inference request: JSON, with binary data behind it where the client wants that. */
import type { DetailedResult } from "../../classification/result.ts";
import { VERSION } from "./metadata.ts";
import type { DataType } from "./metadata.ts";
import type { InferRequest, RequestedOutput } from "./request.ts";

export interface InferResponse {
  readonly body: Buffer | string;
  /** Bytes of JSON at the start of the body; undefined where it is all JSON. */
  readonly jsonBytes: number | undefined;
}

interface OutputTensor {
  readonly name: string;
  readonly datatype: DataType;
  readonly shape: readonly number[];
  readonly data: Float32Array | Int32Array | readonly string[];
}

/** @param model its name. @param results one per item of the input, in its order. */
export function inferResponse(
  { id, outputs }: InferRequest,
  results: readonly DetailedResult[],
  model: string,
): InferResponse {
  const binaries: Buffer[] = [];
  const described = outputs.map((output) => {
    const { data, ...tensor } = outputTensor(output, results);
    if (!output.isBinary) return { ...tensor, data: [...data] };
    const binary = binaryOf(data);
    binaries.push(binary);
    return { ...tensor, parameters: { binary_data_size: binary.length } };
  });
  const json = JSON.stringify({
    model_name: model,
    model_version: VERSION,
    ...(id !== undefined && { id }),
    outputs: described,
  });
  if (binaries.length === 0) return { body: json, jsonBytes: undefined };
  const header = Buffer.from(json);
  return { body: Buffer.concat([header, ...binaries]), jsonBytes: header.length };
}

function outputTensor({ name, classes }: RequestedOutput, results: readonly DetailedResult[]): OutputTensor {
  if (classes !== undefined) {
    const data = results.flatMap((result) => classified(name, classes, result));
    return { name, datatype: "BYTES", shape: [results.length, classes], data };
  }
  if (name === "indices") {
    const rows = results.map(({ top }) => Int32Array.from(top, ({ index }) => index));
    return { name, datatype: "INT32", ...joined(rows, (length) => new Int32Array(length)) };
  }
  const rows = results.map((result) => valuesOf(name, result));
  return { name, datatype: "FP32", ...joined(rows, (length) => new Float32Array(length)) };
}

/** `value:index:label`, best first, in the order that torch's sort gave. */
function classified(name: string, classes: number, result: DetailedResult): string[] {
  const values = valuesOf(name, result);
  return result.top.slice(0, classes).map(({ index, label }) => `${values[index]}:${index}:${label}`);
}

function valuesOf(name: string, { logits, probabilities, embedding }: DetailedResult): Float32Array {
  const values = name === "logits" ? logits : name === "embedding" ? embedding?.data : probabilities;
  if (values === undefined) throw new Error(`the answer has no ${name}`);
  return values;
}

function joined<T extends Float32Array | Int32Array>(
  rows: readonly T[],
  make: (length: number) => T,
): { data: T; shape: readonly number[] } {
  const width = rows[0]?.length ?? 0;
  const data = make(rows.length * width);
  for (const [at, row] of rows.entries()) data.set(row, at * width);
  return { data, shape: [rows.length, width] };
}

function binaryOf(data: OutputTensor["data"]): Buffer {
  if (data instanceof Float32Array || data instanceof Int32Array) {
    return Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  }
  return Buffer.concat(
    data.flatMap((text) => {
      const bytes = Buffer.from(text);
      const length = Buffer.alloc(4);
      length.writeUInt32LE(bytes.length);
      return [length, bytes];
    }),
  );
}
