/** The parameters of `/classify?topK=…&include=…`, checked by hand: each has its sentence. */
import { shown, shownValue } from "../../base/text/shown.ts";
import type { IsotorchError } from "../../base/errors.ts";
import { invalid } from "../../base/options/check.ts";
import { didYouMean } from "../../base/options/suggest.ts";
import type { Activation } from "../../protocol/messages.ts";
import type { Reading } from "../picture.ts";

const INCLUDABLE = ["logits", "probabilities", "embedding", "tensor", "crop", "timings"] as const;
export type Included = (typeof INCLUDABLE)[number];

const READINGS = {
  exif: ["ignore", "apply"],
  icc: ["ignore", "to-srgb"],
  mode: ["convert-rgb", "strict"],
} as const;
const ACTIVATIONS = ["softmax", "sigmoid"] as const;

export interface Query {
  /** Undefined where nobody asks for any. */
  readonly topK: number | undefined;
  readonly include: ReadonlySet<Included>;
  readonly reading: Reading;
  readonly activation: Activation;
  readonly threshold: number;
}

/** @throws IsotorchError `INVALID_OPTION`, naming the nearest known parameter. */
export function queryOf(query: unknown): Query {
  const given = Object.entries(query as Readonly<Record<string, unknown>>);
  const known = ["topK", "include", "model", "activation", "threshold", ...Object.keys(READINGS)];
  for (const [name, value] of given) {
    if (!known.includes(name)) throw unknownName(name, known);
    if (typeof value !== "string") throw wrong(`The parameter ${shown(name)} is given twice.`);
  }
  const texts = new Map(given as [string, string][]);
  const topK = texts.get("topK");
  if (topK !== undefined && !/^\d{1,9}$/.test(topK))
    throw wrong("topK is not a whole number from 0; 0 means all.");
  const threshold = texts.get("threshold") ?? "0";
  if (!/^(?:0|1|0?\.\d{1,17}|1\.0{1,17})$/.test(threshold))
    throw wrong("threshold is not a number from 0 to 1.");
  const include = new Set<Included>();
  for (const name of texts.get("include")?.split(",") ?? []) {
    const found = INCLUDABLE.find((candidate) => candidate === name.trim());
    if (found === undefined) throw wrong(`include knows ${INCLUDABLE.join(", ")}.`);
    include.add(found);
  }
  const reading = {
    exif: oneOf("exif", READINGS.exif, texts),
    icc: oneOf("icc", READINGS.icc, texts),
    mode: oneOf("mode", READINGS.mode, texts),
  };
  const activation = oneOf("activation", ACTIVATIONS, texts);
  return {
    topK: topK === undefined ? undefined : Number(topK),
    include,
    reading,
    activation,
    threshold: Number(threshold),
  };
}

function oneOf<T extends string>(
  name: string,
  values: readonly [T, ...T[]],
  texts: ReadonlyMap<string, string>,
): T {
  const text = texts.get(name) ?? values[0];
  const found = values.find((value) => value === text);
  if (found !== undefined) return found;
  throw wrong(`The parameter ${name} is one of ${values.join(", ")}.`);
}

function unknownName(name: string, known: readonly string[]): IsotorchError {
  const hint = didYouMean(name, known, (one) => one) ?? `There are ${known.join(", ")}`;
  return invalid(`There is no parameter ${shownValue(name, 40)}.`, hint);
}

function wrong(message: string): IsotorchError {
  return invalid(message, "docs/server.md describes the parameters.");
}
