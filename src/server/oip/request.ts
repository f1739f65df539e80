/** An inference request as it came, in JSON with or without binary data behind it, checked field by field. */
import { IsotorchError } from "../../base/errors.ts";
import { cropSize } from "../../image/resample/geometry.ts";
import { didYouMean } from "../../base/options/suggest.ts";
import { isRecord } from "../../base/files/json.ts";
import { parseJson } from "./json.ts";
import type { ParsedJson } from "./json.ts";
import type { Activation } from "../../protocol/messages.ts";
import { ACTIVATIONS, MAX_BATCH, VERSION, inputsOf, outputsOf } from "./metadata.ts";
import type { Model } from "./metadata.ts";
import { bad, badTensor, show } from "./refusal.ts";
import { readTensor } from "./tensors.ts";
import type { InputTensor } from "./tensors.ts";

/** Names, shapes and parameters beside the values of the tensor. */
const MOST_OTHERS = 8_192;

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
  /** What probabilities are made with. */
  readonly activation: Activation;
  readonly input: InputTensor;
  readonly outputs: readonly RequestedOutput[];
}

/**
 * @param jsonBytes the header `Inference-Header-Content-Length`; undefined where the whole body is JSON.
 * @param largestJson bytes of JSON at most.
 * @throws IsotorchError `INVALID_INPUT`, `BAD_TENSOR` or `INPUT_TOO_LARGE`, with the field.
 */
export async function parseInferRequest(
  body: Buffer,
  jsonBytes: string | undefined,
  model: Model,
  largestJson: number,
): Promise<InferRequest> {
  const [json, binary] = split(body, jsonBytes);
  if (json.length > largestJson) throw jsonTooLarge(largestJson);
  const { width, height } = cropSize(model.spec);
  const { request, dataOf } = await parseJson(json, MAX_BATCH * 3 * width * height + MOST_OTHERS);
  const given = fields(request, "the request", [
    "id",
    "inputs",
    "outputs",
    "parameters",
    "model_name",
    "model_version",
  ]);
  const { id, inputs, outputs } = given;
  if (id !== undefined && (typeof id !== "string" || id.length > 256))
    throw bad("id is not a text of at most 256 characters");
  checkName("model_name", given.model_name, model.name);
  checkName("model_version", given.model_version, VERSION);
  const [input, data] = chosenOf(inputs, binary, model);
  const general = parametersOf(given.parameters, "parameters");
  refuseOthers(general);
  const isBinary = flag(general["binary_data_output"], "binary_data_output") ?? false;
  return {
    id,
    timeoutMs: timeoutOf(general["timeout"]),
    activation: activationOf(general["activation"]),
    input: await inputOf(input, data, model, dataOf, general["content_type"]),
    outputs: wantedOf(outputs, isBinary, model),
  };
}

/** The error of JSON beyond the limit, found from its length or while it came. */
export function jsonTooLarge(largest: number): IsotorchError {
  return new IsotorchError("INPUT_TOO_LARGE", `The JSON of the request has more than ${largest} bytes.`, {
    hint: "Send the tensor as binary data, which is a third of that.",
  });
}

function split(body: Buffer, jsonBytes: string | undefined): readonly [json: Buffer, binary: Buffer] {
  if (jsonBytes === undefined) return [body, body.subarray(body.length)];
  const length = /^\d{1,10}$/.test(jsonBytes) ? Number(jsonBytes) : -1;
  if (length < 1 || length > body.length) {
    throw bad("Inference-Header-Content-Length is not the length of the JSON at the start of the body");
  }
  return [body.subarray(0, length), body.subarray(length)];
}

/** Clients repeat what the address says; what says something else is not answered. */
function checkName(field: string, given: unknown, name: string): void {
  if (given === undefined || given === "" || given === name) return;
  throw bad(`${field} is ${show(given)}, and there is only ${name}`);
}

/** Parameters are open, and what changes nothing is ignored; these would change something, and are not there. */
function refuseOthers(parameters: Readonly<Record<string, unknown>>): void {
  const other = Object.keys(parameters).find(
    (name) =>
      name.startsWith("shared_memory_") ||
      (/^sequence_(?:id|start|end)$/.test(name) && !isNothing(parameters[name])),
  );
  if (other !== undefined) throw bad(`${other} is not to be had here: no shared memory, no sequences`);
}

function isNothing(value: unknown): boolean {
  return value === 0 || value === false || value === "";
}

/**
 * The input that counts, with its binary data: the only one, or `input`, where a client generates all three from the
 * metadata. The configuration calls the others optional; their data are not looked at.
 */
function chosenOf(inputs: unknown, binary: Buffer, model: Model): readonly [input: unknown, data: Buffer] {
  const list: unknown[] = Array.isArray(inputs) ? inputs : [];
  if (list.length === 1) return [list[0], binary];
  const none = bad("inputs is not a list of exactly one tensor; others only beside `input`, in binary");
  const known = inputsOf(model).map(({ name }) => name);
  const places = new Map<string, readonly [input: unknown, start: number, end: number]>();
  let end = 0;
  for (const one of list) {
    const { name, parameters } = isRecord(one) ? one : {};
    const size = isRecord(parameters) ? parameters["binary_data_size"] : undefined;
    if (!known.some((other) => other === name) || places.has(String(name)) || !isLength(size)) throw none;
    places.set(String(name), [one, end, end + size]);
    end += size;
  }
  const [input, from, to] = places.get("input") ?? [];
  if (input === undefined || end !== binary.length) throw none;
  return [input, binary.subarray(from, to)];
}

function isLength(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

async function inputOf(
  given: unknown,
  binary: Buffer,
  model: Model,
  dataOf: ParsedJson["dataOf"],
  generalType: unknown,
): Promise<InputTensor> {
  const { name, datatype, shape, data, parameters } = fields(given, "the input", [
    "name",
    "datatype",
    "shape",
    "data",
    "parameters",
  ]);
  const known = inputsOf(model);
  const metadata = known.find((candidate) => candidate.name === name);
  if (metadata === undefined) throw unknown("input", name, known);
  if (datatype !== metadata.datatype) {
    throw badTensor(
      `the input ${metadata.name} has the datatype ${show(datatype)}, expected ${metadata.datatype}`,
    );
  }
  const own = parametersOf(parameters, "the input's parameters");
  refuseOthers(own);
  const size = own["binary_data_size"];
  if (size !== undefined && data !== undefined) throw bad("the input has data both in JSON and in binary");
  if (size === undefined && binary.length > 0)
    throw bad("there is binary data, and the input has no binary_data_size");
  if (size !== undefined && size !== binary.length) {
    throw bad(`binary_data_size is ${show(size)}, and ${binary.length} bytes follow the JSON`);
  }
  const isBase64 = (own["content_type"] ?? generalType) === "base64";
  return readTensor(metadata, shape, size === undefined ? { json: dataOf(data) } : { binary }, isBase64);
}

function wantedOf(given: unknown, isBinary: boolean, model: Model): RequestedOutput[] {
  if (given === undefined || (Array.isArray(given) && given.length === 0)) {
    return outputsOf({ ...model, embedding: 0 }).map(({ name }) => ({ name, isBinary, classes: undefined }));
  }
  if (!Array.isArray(given)) throw bad("outputs is not a list");
  const outputs = given.map((output) => outputOf(output, isBinary, model));
  if (new Set(outputs.map(({ name }) => name)).size < outputs.length)
    throw bad("an output is asked for twice");
  return outputs;
}

function outputOf(given: unknown, isBinary: boolean, model: Model): RequestedOutput {
  const { name, parameters } = fields(given, "the output", ["name", "parameters"]);
  const known = outputsOf(model);
  const metadata = known.find((candidate) => candidate.name === name);
  if (metadata === undefined) throw unknown("output", name, known);
  const own = parametersOf(parameters, "the output's parameters");
  refuseOthers(own);
  const { binary_data: binary, classification } = own;
  const most = model.classes;
  const isRanked = metadata.name === "logits" || metadata.name === "probabilities";
  const isCount =
    Number.isInteger(classification) && Number(classification) >= 0 && Number(classification) <= most;
  if (classification !== undefined && (!isCount || !isRanked)) {
    throw bad(`classification is ${show(classification)}, expected 1 to ${most} for logits or probabilities`);
  }
  return {
    name: metadata.name,
    isBinary: flag(binary, "binary_data") ?? isBinary,
    classes: Number(classification ?? 0) || undefined, // clients send 0 for none
  };
}

function activationOf(given: unknown): Activation {
  const found = ACTIVATIONS.find((name) => name === (given ?? "softmax"));
  if (found !== undefined) return found;
  throw bad(`activation is ${show(given)}, expected ${ACTIVATIONS.join(" or ")}`);
}

function timeoutOf(microseconds: unknown): number | undefined {
  if (microseconds === undefined || microseconds === 0) return undefined;
  if (Number.isSafeInteger(microseconds) && Number(microseconds) > 0) {
    return Math.ceil(Number(microseconds) / 1_000);
  }
  throw bad(`timeout is ${show(microseconds)}, expected microseconds`);
}

/** An object with no other fields than these; null is absent. */
function fields<K extends string>(
  value: unknown,
  what: string,
  names: readonly K[],
): Partial<Record<K, unknown>> {
  if (!isRecord(value)) throw bad(`${what} is not an object`);
  const present = withoutNulls(value);
  const other = Object.keys(present).find((name) => !names.some((known) => known === name));
  if (other === undefined) return present as Partial<Record<K, unknown>>;
  throw bad(`${what} has the unknown field ${show(other)}`);
}

function parametersOf(value: unknown, what: string): Readonly<Record<string, unknown>> {
  if (value === undefined) return {};
  if (!isRecord(value)) throw bad(`${what} is not an object`);
  return withoutNulls(value);
}

function withoutNulls(value: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(value).filter(([, inner]) => inner !== null));
}

function flag(value: unknown, name: string): boolean | undefined {
  if (value === undefined || typeof value === "boolean") return value;
  throw bad(`${name} is ${show(value)}, expected true or false`);
}

function unknown(kind: string, name: unknown, known: readonly { readonly name: string }[]): IsotorchError {
  const names = known.map((candidate) => candidate.name);
  const meant = typeof name === "string" ? didYouMean(name, names, (one) => one) : undefined;
  const hint = meant ?? `There are ${names.join(", ")}.`;
  return new IsotorchError("INVALID_INPUT", `There is no ${kind} ${show(name)}.`, { hint });
}
