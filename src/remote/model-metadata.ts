/** Whether a server's model is one that isotorch can feed, and by which names: read from its metadata. */
import { excerpt } from "../base/text/shown.ts";
import { IsotorchError } from "../base/errors.ts";
import type { Handoff } from "../protocol/messages.ts";
import { isRecord } from "../base/files/json.ts";
import type { Size } from "../image/resample/geometry.ts";

export const CLASSES = 1_000;

/** What a server says of itself and its model. */
export interface ModelMetadata {
  readonly server: { readonly name?: string; readonly version?: string };
  /** An isotorch server: its pixels, files and labels mean what ours mean. */
  readonly isOurs: boolean;
  /** Names of the inputs, by what they take. */
  readonly inputs: Readonly<Partial<Record<Handoff, string>>>;
  /** Names of the outputs, by what they hold. */
  readonly outputs: Readonly<Partial<Record<"logits" | "probabilities" | "indices", string>>>;
}

interface Tensor {
  readonly name: string;
  readonly datatype: string;
  /** -1 fits everything. */
  readonly shape: readonly number[];
}

/**
 * @param server the answer to `GET /v2`.
 * @param model the answer to `GET /v2/models/MODEL`.
 * @param size of the picture that the network sees.
 * @throws IsotorchError `REMOTE_MISMATCH` with what was expected and what was found.
 */
export function metadataOf(
  server: Readonly<Record<string, unknown>>,
  model: Readonly<Record<string, unknown>>,
  { width, height }: Size,
): ModelMetadata {
  const name = textIn(server["name"]);
  const version = textIn(server["version"]);
  const isOurs = name === "isotorch";
  const inputs = tensorsOf(model["inputs"]);
  const outputs = tensorsOf(model["outputs"]);
  const tensor = inputs.find(
    ({ datatype, shape }) => datatype === "FP32" && fits(shape, [1, 3, height, width]),
  );
  const known = isOurs ? inputs : [];
  const pixels = known.find(
    ({ datatype, shape }) => datatype === "UINT8" && fits(shape, [1, height, width, 3]),
  );
  const encoded = known.find(({ datatype, shape }) => datatype === "BYTES" && isColumn(shape));
  if (tensor === undefined) {
    throw mismatch(`no input is FP32 [-1,3,${height},${width}]; there are ${described(inputs)}`);
  }
  if (!isOurs && inputs.length > 1) {
    throw mismatch(`it wants ${inputs.length} inputs, ${described(inputs)}, and there is one picture`);
  }
  return {
    server: { ...(name !== undefined && { name }), ...(version !== undefined && { version }) },
    isOurs,
    inputs: {
      tensor: tensor.name,
      ...(pixels && { pixels: pixels.name }),
      ...(encoded && { encoded: encoded.name }),
    },
    outputs: outputsOf(outputs),
  };
}

/** Outputs by their names; where there is one with a value per class and no telling name, it holds the logits. */
function outputsOf(all: readonly Tensor[]): ModelMetadata["outputs"] {
  const perClass = all.filter(({ shape }) => fits(shape, [1, CLASSES]));
  const floats = perClass.filter(({ datatype }) => datatype === "FP32");
  const probabilities = floats.find(({ name }) => name === "probabilities");
  const [first, ...more] = floats.filter((output) => output !== probabilities);
  const logits = floats.find(({ name }) => name === "logits") ?? (more.length === 0 ? first : undefined);
  const indices = perClass.find(
    ({ name, datatype }) => name === "indices" && /^INT(?:32|64)$/.test(datatype),
  );
  if (logits === undefined && probabilities === undefined) {
    throw mismatch(`no output is FP32 [-1,${CLASSES}] by the name of logits; there are ${described(all)}`);
  }
  return {
    ...(logits && { logits: logits.name }),
    ...(probabilities && { probabilities: probabilities.name }),
    ...(indices && { indices: indices.name }),
  };
}

function fits(shape: readonly number[], wanted: readonly number[]): boolean {
  return shape.length === wanted.length && shape.every((size, at) => size === -1 || size === wanted[at]);
}

/** Files, one in each row: `[-1, 1]`, and `[-1]` as isotorch 0.1.0 has it. */
function isColumn(shape: readonly number[]): boolean {
  return fits(shape, [1, 1]) || fits(shape, [1]);
}

function tensorsOf(list: unknown): Tensor[] {
  return (Array.isArray(list) ? (list as unknown[]) : []).filter(isTensor);
}

function isTensor(value: unknown): value is Tensor {
  if (!isRecord(value)) return false;
  const { name, datatype, shape } = value;
  const isNumbers = Array.isArray(shape) && shape.every((size) => Number.isSafeInteger(size));
  return typeof name === "string" && typeof datatype === "string" && isNumbers;
}

function described(tensors: readonly Tensor[]): string {
  const list = tensors.map(({ name, datatype, shape }) => `${name} ${datatype} [${shape.join()}]`);
  return list.length === 0 ? "none" : excerpt(list.slice(0, 20).join(", "));
}

function textIn(value: unknown): string | undefined {
  return typeof value === "string" ? excerpt(value, 100) : undefined;
}

export function mismatch(why: string, url?: string): IsotorchError {
  const whose = url === undefined ? "The server's model" : `The model of ${url}`;
  return new IsotorchError("REMOTE_MISMATCH", `${whose} does not fit: ${why}.`);
}
