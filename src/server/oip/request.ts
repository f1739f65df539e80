/** An inference request as it came, in JSON with or without binary data behind it, checked field by field. */
import { IsotorchError } from "../../errors.ts";
import type { InputSpec } from "../../image/geometry.ts";
import { nearest } from "../../nearest.ts";
import { isRecord } from "../../base/json.ts";
import { OUTPUTS, inputsOf } from "./metadata.ts";
import { readTensor } from "./tensors.ts";
import type { InputTensor } from "./tensors.ts";

export interface RequestedOutput {
  readonly name: string;
  readonly isBinary: boolean;
  /** Triton's classification extension: so many `value:index:label` in the place of the tensor. */
  readonly classes: number | undefined;
}

export interface InferRequest {
  readonly id: string | undefined;
  /** Milliseconds, from the parameter `timeout`, which is in microseconds. */
  readonly timeoutMs: number | undefined;
  readonly input: InputTensor;
  readonly outputs: readonly RequestedOutput[];
}

/**
 * @param jsonBytes the header `Inference-Header-Content-Length`; undefined where the whole body is JSON.
 * @throws IsotorchError `INVALID_INPUT` or `BAD_TENSOR`, with the field.
 */
export function parseInferRequest(
  body: Buffer,
  jsonBytes: string | undefined,
  spec: InputSpec,
): InferRequest {
  const [json, binary] = split(body, jsonBytes);
  const request = parse(json);
  const { id, inputs, outputs, parameters } = fields(request, "the request", [
    "id",
    "inputs",
    "outputs",
    "parameters",
  ]);
  if (id !== undefined && (typeof id !== "string" || id.length > 256))
    throw bad("id is not a text of at most 256 characters");
  if (!Array.isArray(inputs) || inputs.length !== 1) throw bad("inputs is not a list of exactly one tensor");
  const general = parametersOf(parameters, "parameters", ["binary_data_output", "timeout", "priority"]);
  const isBinary = flag(general["binary_data_output"], "binary_data_output") ?? false;
  return {
    id,
    timeoutMs: timeoutOf(general["timeout"]),
    input: inputOf(inputs[0], binary, spec),
    outputs: outputsOf(outputs, isBinary),
  };
}

function split(body: Buffer, jsonBytes: string | undefined): readonly [json: Buffer, binary: Buffer] {
  if (jsonBytes === undefined) return [body, body.subarray(body.length)];
  const length = /^\d{1,10}$/.test(jsonBytes) ? Number(jsonBytes) : -1;
  if (length < 1 || length > body.length) {
    throw bad("Inference-Header-Content-Length is not the length of the JSON at the start of the body");
  }
  return [body.subarray(0, length), body.subarray(length)];
}

function parse(json: Buffer): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(json));
  } catch (cause) {
    throw bad("the request is not JSON in UTF-8", cause);
  }
}

function inputOf(given: unknown, binary: Buffer, spec: InputSpec): InputTensor {
  const { name, datatype, shape, data, parameters } = fields(given, "the input", [
    "name",
    "datatype",
    "shape",
    "data",
    "parameters",
  ]);
  const known = inputsOf(spec);
  const metadata = known.find((candidate) => candidate.name === name);
  if (metadata === undefined) throw unknown("input", name, known);
  if (datatype !== metadata.datatype) {
    throw badTensor(
      `The input ${metadata.name} has the datatype ${show(datatype)}, expected ${metadata.datatype}`,
    );
  }
  const size = parametersOf(parameters, "the input's parameters", ["binary_data_size"])["binary_data_size"];
  if (size !== undefined && data !== undefined) throw bad("the input has data both in JSON and in binary");
  if (size === undefined && binary.length > 0)
    throw bad("there is binary data, and the input has no binary_data_size");
  if (size !== undefined && size !== binary.length) {
    throw bad(`binary_data_size is ${show(size)}, and ${binary.length} bytes follow the JSON`);
  }
  return readTensor(metadata, shape, size === undefined ? { json: data } : { binary });
}

function outputsOf(given: unknown, isBinary: boolean): RequestedOutput[] {
  if (given === undefined || (Array.isArray(given) && given.length === 0)) {
    return OUTPUTS.map(({ name }) => ({ name, isBinary, classes: undefined }));
  }
  if (!Array.isArray(given)) throw bad("outputs is not a list");
  const outputs = given.map((output) => outputOf(output, isBinary));
  if (new Set(outputs.map(({ name }) => name)).size < outputs.length)
    throw bad("an output is asked for twice");
  return outputs;
}

function outputOf(given: unknown, isBinary: boolean): RequestedOutput {
  const { name, parameters } = fields(given, "the output", ["name", "parameters"]);
  const metadata = OUTPUTS.find((candidate) => candidate.name === name);
  if (metadata === undefined) throw unknown("output", name, OUTPUTS);
  const { binary_data: binary, classification } = parametersOf(parameters, "the output's parameters", [
    "binary_data",
    "classification",
  ]);
  const most = metadata.shape[1] ?? 0;
  const isCount =
    Number.isInteger(classification) && Number(classification) >= 0 && Number(classification) <= most;
  if (classification !== undefined && (!isCount || metadata.name === "indices")) {
    throw bad(`classification is ${show(classification)}, expected 1 to ${most} for logits or probabilities`);
  }
  return {
    name: metadata.name,
    isBinary: flag(binary, "binary_data") ?? isBinary,
    classes: Number(classification ?? 0) || undefined, // clients send 0 for none
  };
}

function timeoutOf(microseconds: unknown): number | undefined {
  if (microseconds === undefined || microseconds === 0) return undefined;
  if (Number.isSafeInteger(microseconds) && Number(microseconds) > 0) {
    return Math.ceil(Number(microseconds) / 1_000);
  }
  throw bad(`timeout is ${show(microseconds)}, expected microseconds`);
}

/** An object with no other fields than these. */
function fields<K extends string>(
  value: unknown,
  what: string,
  names: readonly K[],
): Partial<Record<K, unknown>> {
  if (!isRecord(value)) throw bad(`${what} is not an object`);
  const other = Object.keys(value).find((name) => !names.some((known) => known === name));
  if (other === undefined) return value as Partial<Record<K, unknown>>;
  throw bad(`${what} has the unknown field ${show(other)}`);
}

function parametersOf<K extends string>(
  value: unknown,
  what: string,
  names: readonly K[],
): Partial<Record<K, unknown>> {
  return value === undefined ? {} : fields(value, what, names);
}

function flag(value: unknown, name: string): boolean | undefined {
  if (value === undefined || typeof value === "boolean") return value;
  throw bad(`${name} is ${show(value)}, expected true or false`);
}

function unknown(kind: string, name: unknown, known: readonly { readonly name: string }[]): IsotorchError {
  const names = known.map((candidate) => candidate.name);
  const meant = typeof name === "string" ? nearest(name, names) : undefined;
  const hint = meant === undefined ? `There are ${names.join(", ")}.` : `Did you mean ${meant}?`;
  return new IsotorchError("INVALID_INPUT", `There is no ${kind} ${show(name)}.`, { hint });
}

function show(value: unknown): string {
  return (JSON.stringify(value) ?? "missing").slice(0, 80);
}

function bad(why: string, cause?: unknown): IsotorchError {
  return new IsotorchError("INVALID_INPUT", `Not an inference request: ${why}.`, {
    hint: "docs/server.md describes the request.",
    cause,
  });
}

function badTensor(why: string): IsotorchError {
  return new IsotorchError("BAD_TENSOR", `${why}.`, { hint: "GET /v2/models/resnet101 lists the tensors." });
}
