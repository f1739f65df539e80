/** Whether a server's model is one that isotorch can feed, and by which names: read from its metadata. */
import { excerpt } from "../../base/text/shown.ts";
import { IsotorchError } from "../../base/errors.ts";
import type { Activation, Handoff } from "../../protocol/messages.ts";
import { isRecord } from "../../base/files/json.ts";
import type { Size } from "../../image/resample/geometry.ts";

/** Where a server leaves open how many there are. */
export const CLASSES = 1_000;

/** What a server says of itself and its model. */
export interface ModelMetadata {
  readonly server: { readonly name?: string; readonly version?: string };
  /** An isotorch server: its pixels, files and labels mean what ours mean. */
  readonly isOurs: boolean;
  /** Names of the inputs, by what they take. */
  readonly inputs: Readonly<Partial<Record<Handoff, string>>>;
  /** Names of the outputs, by what they hold. */
  readonly outputs: Readonly<Partial<Record<OutputName, string>>>;
  readonly classes: number;
  /** Values of an embedding; undefined where the server has none, or does not say it. */
  readonly embedding: number | undefined;
  /** What it makes of logits where it is asked for it; a server of others has one way and no name for it. */
  readonly activations: readonly Activation[];
  /** What the network sees. */
  readonly size: Size;
}

export type OutputName = "logits" | "probabilities" | "indices" | "embedding";

interface Tensor {
  readonly name: string;
  readonly datatype: string;
  /** -1 fits everything. */
  readonly shape: readonly number[];
}

/**
 * @param server the answer to `GET /v2`.
 * @param model the answer to `GET /v2/models/MODEL`.
 * @param wanted the size of the picture that the network sees, where the server leaves it open.
 * @throws IsotorchError `REMOTE_MISMATCH` with what was expected and what was found.
 */
export function metadataOf(
  server: Readonly<Record<string, unknown>>,
  model: Readonly<Record<string, unknown>>,
  wanted: Size,
): ModelMetadata {
  const name = textIn(server["name"]);
  const version = textIn(server["version"]);
  const isOurs = name === "isotorch";
  const inputs = tensorsOf(model["inputs"]);
  const tensor = inputs.find(({ datatype, shape }) => datatype === "FP32" && fits(shape, [1, 3, ANY, ANY]));
  if (tensor === undefined) {
    throw mismatch(`no input is FP32 [-1,3,height,width]; there are ${described(inputs)}`);
  }
  const size = sizeOf(tensor, wanted);
  const known = isOurs ? inputs : [];
  const pixels = known.find(
    ({ datatype, shape }) => datatype === "UINT8" && fits(shape, [1, size.height, size.width, 3]),
  );
  const encoded = known.find(({ datatype, shape }) => datatype === "BYTES" && isColumn(shape));
  if (!isOurs && inputs.length > 1) {
    throw mismatch(`it wants ${inputs.length} inputs, ${described(inputs)}, and there is one picture`);
  }
  const parameters = isRecord(model["parameters"]) ? model["parameters"] : {};
  return {
    server: { ...(name !== undefined && { name }), ...(version !== undefined && { version }) },
    isOurs,
    inputs: {
      tensor: tensor.name,
      ...(pixels && { pixels: pixels.name }),
      ...(encoded && { encoded: encoded.name }),
    },
    ...outputsOf(tensorsOf(model["outputs"])),
    activations: isOurs ? activationsIn(parameters["activations"]) : [],
    size,
  };
}

/** Stands for any length in a shape that is looked for. */
const ANY = -1;

function sizeOf({ shape }: Tensor, wanted: Size): Size {
  const [, , height = ANY, width = ANY] = shape;
  return {
    height: height === ANY ? wanted.height : height,
    width: width === ANY ? wanted.width : width,
  };
}

/** Servers of ours from before there was a choice have one. */
function activationsIn(given: unknown): Activation[] {
  const known = ["softmax", "sigmoid"] as const;
  return known.filter((name) => name === "softmax" || (Array.isArray(given) && given.includes(name)));
}

/** Outputs by their names; where one alone has a value per class and no telling name, it holds the logits. */
function outputsOf(all: readonly Tensor[]): Pick<ModelMetadata, "outputs" | "classes" | "embedding"> {
  const rows = all.filter(({ shape }) => fits(shape, [1, ANY]));
  const floats = rows.filter(({ datatype }) => datatype === "FP32");
  const named = (wanted: OutputName): Tensor | undefined => floats.find(({ name }) => name === wanted);
  const [probabilities, embedding] = [named("probabilities"), named("embedding")];
  const others = floats.filter((output) => output !== probabilities && output !== embedding);
  const logits =
    named("logits") ?? only(others) ?? only(others.filter(({ shape }) => fits(shape, [1, CLASSES])));
  const scores = logits ?? probabilities;
  if (scores === undefined) {
    throw mismatch(`no output is FP32 [-1,classes] by the name of logits; there are ${described(all)}`);
  }
  const indices = rows.find(({ name, datatype }) => name === "indices" && /^INT(?:32|64)$/.test(datatype));
  const perClass = [logits, probabilities, indices].filter((output) => output !== undefined);
  const classes = perClass.map(widthOf).find((width) => width !== ANY) ?? CLASSES;
  if (perClass.some(({ shape }) => !fits(shape, [1, classes]))) {
    throw mismatch(`its outputs are not of as many classes; there are ${described(perClass)}`);
  }
  const values = embedding === undefined ? ANY : widthOf(embedding);
  return {
    outputs: {
      ...(logits && { logits: logits.name }),
      ...(probabilities && { probabilities: probabilities.name }),
      ...(indices && { indices: indices.name }),
      ...(embedding && { embedding: embedding.name }),
    },
    classes,
    embedding: values === ANY ? undefined : values,
  };
}

function only<T>([first, ...more]: readonly T[]): T | undefined {
  return more.length === 0 ? first : undefined;
}

function widthOf({ shape }: Tensor): number {
  return shape[1] ?? ANY;
}

function fits(shape: readonly number[], wanted: readonly number[]): boolean {
  if (shape.length !== wanted.length) return false;
  return shape.every((size, at) => {
    const length = wanted[at];
    return size === -1 || (length === ANY ? size > 0 : size === length);
  });
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
