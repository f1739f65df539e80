/** From output tensors to the classes of a picture, as a worker of this machine gives them. */
import { shown } from "../../base/text/shown.ts";
import { IsotorchError } from "../../base/errors.ts";
import type { Ranking } from "../../tasks/classify.ts";
import { malformed } from "../failure.ts";
import type { ModelMetadata } from "../model/metadata.ts";
import type { OutputRequest, OutputTensor } from "../oip.ts";

export interface Asked {
  readonly topK: number;
  readonly include: readonly string[];
}

/** The outputs that an answer is made of; no more than it needs. */
export function outputsFor({ outputs }: ModelMetadata, { include }: Asked): OutputRequest[] {
  const { logits, probabilities, indices, embedding } = outputs;
  const needsLogits = include.includes("logits") || probabilities === undefined || indices === undefined;
  const names = [
    probabilities,
    indices,
    ...(needsLogits ? [logits] : []),
    ...(include.includes("embedding") ? [embedding] : []),
  ];
  return names.flatMap((name) => (name === undefined ? [] : [{ name }]));
}

/**
 * @param timings milliseconds, for `include.timings`.
 * @throws IsotorchError `PROTOCOL_ERROR`, `NON_FINITE_OUTPUT`, `INVALID_OPTION` for logits that the server does not give.
 */
export function rankingOf(
  tensors: ReadonlyMap<string, OutputTensor>,
  { outputs, classes, embedding: values }: ModelMetadata,
  { topK, include }: Asked,
  timings: Readonly<Record<string, number>>,
): Ranking {
  const read = (name: string | undefined): Float32Array | undefined =>
    name !== undefined && tensors.has(name) ? floats(name, tensors.get(name), classes) : undefined;
  const logits = read(outputs.logits);
  const embedding = include.includes("embedding")
    ? embeddingOf(tensors, outputs.embedding, values)
    : undefined;
  const probabilities = read(outputs.probabilities) ?? softmax(logits);
  const order =
    outputs.indices === undefined
      ? sorted(logits ?? probabilities)
      : orderOf(tensors, outputs.indices, classes);
  const best = order.slice(0, topK || classes);
  const scores = Float32Array.from(best, (index) => probabilities[index] ?? Number.NaN);
  // float32 times 100 rounded once, as torch does it.
  const percentages = scores.map((score) => score * 100);
  if (include.includes("logits") && logits === undefined) {
    throw new IsotorchError("INVALID_OPTION", "The server gives probabilities and no logits.", {
      hint: "Leave `include.logits` out, or serve an output named `logits`.",
    });
  }
  return {
    indices: best,
    scores,
    percentages,
    ...(include.includes("logits") && logits !== undefined && { logits }),
    ...(include.includes("probabilities") && { probabilities }),
    ...(embedding && { embedding }),
    timings,
  };
}

/** `value:index:label` of each class, as Triton's classification extension gives them; undefined where some are missing. */
export function labelsIn(tensor: OutputTensor | undefined, classes: number): readonly string[] | undefined {
  const labels: string[] = [];
  for (const text of tensor?.data ?? []) {
    const [, index, label] = /^[^:]*:(\d+):(.+)$/s.exec(String(text)) ?? [];
    if (index === undefined || label === undefined) return undefined;
    labels[Number(index)] = label;
  }
  const isWhole = labels.length === classes && Object.keys(labels).length === classes;
  return isWhole ? labels : undefined;
}

/**
 * Softmax in float32, for servers that give logits alone. The steps are torch's, the last bits of `exp` and of the sum
 * need not be; `info().remote.percentages` says so.
 */
export function softmax(logits: Float32Array | undefined): Float32Array {
  if (logits === undefined) throw malformed("it has neither logits nor probabilities");
  const most = logits.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  const powers = logits.map((logit) => Math.exp(Math.fround(logit - most)));
  const sum = powers.reduce((total, power) => total + power, 0);
  return powers.map((power) => power / sum);
}

/** @throws IsotorchError `PROTOCOL_ERROR` where it is not there, or not as long as it was said to be. */
function embeddingOf(
  tensors: ReadonlyMap<string, OutputTensor>,
  name: string | undefined,
  width: number | undefined,
): Float32Array {
  if (name === undefined) throw malformed("it has no embedding");
  const tensor = tensors.get(name);
  return floats(name, tensor, width ?? tensor?.shape[1] ?? 0);
}

function floats(name: string, tensor: OutputTensor | undefined, width: number): Float32Array {
  const { data, shape } = tensor ?? {};
  if (data === undefined || shape?.join() !== `1,${width}` || typeof data[0] === "string") {
    throw malformed(`${name} has the shape [${shape?.join() ?? ""}], expected [1,${width}]`);
  }
  const values = data instanceof Float32Array ? data : Float32Array.from(data as readonly number[]);
  if (values.every(Number.isFinite)) return values;
  throw new IsotorchError("NON_FINITE_OUTPUT", `The server's ${shown(name)} hold NaN or infinity.`);
}

function orderOf(
  tensors: ReadonlyMap<string, OutputTensor>,
  name: string,
  classes: number,
): readonly number[] {
  const { data = [], shape = [] } = tensors.get(name) ?? {};
  const order = Array.from(data, Number);
  const isOrder = order.every((index) => Number.isInteger(index) && index >= 0 && index < classes);
  if (shape.join() === `1,${classes}` && isOrder && new Set(order).size === classes) return order;
  throw malformed(`${name} is no order of ${classes} classes`);
}

function sorted(values: Float32Array): readonly number[] {
  return Array.from(values.keys()).toSorted((a, b) => (values[b] ?? 0) - (values[a] ?? 0));
}
