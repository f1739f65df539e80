/** Labels in a JSON or Python value: which of the shapes that people have it is. */
import { shownValue } from "../../base/text/shown.ts";
import { areIndices, byIndex } from "./indexed.ts";
import { Dict, type Literal } from "./literal.ts";
import type { Refusal } from "./refusal.ts";
import { labelsOfTable } from "./table.ts";

type Pair = Dict["pairs"][number];

/** Under these a larger object keeps its labels; the first is that of a `config.json` of transformers. */
const WRAPPERS = [
  "id2label",
  "labels",
  "names",
  "classes",
  "categories",
  "class_names",
  "idx_to_class",
  "class_to_idx",
];
const SHAPES =
  'Read are ["tench", …], {"0": "tench", …}, {"0": ["n01440764", "tench"], …}, {"tench": 0, …} and lists of objects with "index" and "label".';

/**
 * The labels of a value.
 *
 * @param what the format, as in "is JSON".
 * @throws IsotorchError `BAD_LABELS` where it is of no shape that is read, or can be read in two ways.
 */
export function labelsOfValue(value: Literal, what: string, refusal: Refusal): string[] {
  if (Array.isArray(value)) return labelsOfList(value, what, refusal);
  if (value instanceof Dict) return labelsOfDict(value.pairs, what, refusal);
  throw refusal(`${what}, and holds a single value`, SHAPES);
}

function labelsOfList(items: readonly Literal[], what: string, refusal: Refusal): string[] {
  if (items.every((item) => typeof item === "string")) return [...items];
  if (items.length > 0 && items.every((item) => item instanceof Dict))
    return labelsOfRows(items, what, refusal);
  const pairs = items.flatMap((item) =>
    Array.isArray(item) && item.length === 2 ? [item as readonly Literal[]] : [],
  );
  if (pairs.length === items.length) {
    const labels = pairs.flatMap((pair) => labelBesideId(pair) ?? []);
    if (labels.length === items.length) return labels;
    return labelsOfDict(
      pairs.map(([first = null, second = null]) => [first, second] as const),
      what,
      refusal,
    );
  }
  const odd = items.findIndex((item) => typeof item !== "string");
  throw refusal(`${what}, and entry ${odd} of its list is not a string`, SHAPES);
}

function labelsOfDict(pairs: readonly Pair[], what: string, refusal: Refusal): string[] {
  const inner = unwrapped(pairs);
  if (inner !== undefined) return labelsOfValue(inner, what, refusal);
  const keys = pairs.map(([key]) => indexOf(key));
  const values = pairs.map(([, value]) => (typeof value === "number" ? value : undefined));
  const isByIndex = pairs.length > 0 && keys.every((key) => key !== undefined);
  const isByLabel = pairs.length > 0 && values.every((value) => value !== undefined);
  if (isByIndex && isByLabel && areIndices(keys.map(Number)) && keys.some((key, at) => key !== values[at])) {
    throw refusal(
      `${what}, with whole numbers on both sides: which are the indices, is not clear`,
      'Write {"index": "label", …} with the labels in quotes.',
    );
  }
  if (isByLabel)
    return byIndex(
      pairs.map(([key], at) => [Number(values[at]), textOf(key)] as const),
      what,
      refusal,
    );
  if (!isByIndex) throw refusal(`${what}, and neither its keys nor its values are indices`, SHAPES);
  const rows = pairs.map(([, value]) => value);
  if (rows.every((row) => row instanceof Dict)) {
    const odd = rows.findIndex((row, at) =>
      row.pairs.some(([key, own]) => key === "index" && indexOf(own) !== keys[at]),
    );
    if (odd !== -1)
      throw refusal(
        `${what}, and the "index" under the key ${JSON.stringify(pairs[odd]?.[0])} is another one`,
        "Take one of the two away.",
      );
    const withIndex = rows.map(
      (row, at) => new Dict([["index", keys[at] ?? 0], ...row.pairs.filter(([key]) => key !== "index")]),
    );
    return labelsOfRows(withIndex, what, refusal);
  }
  const labels = pairs.map(([key, value], at): readonly [number, string] => {
    const label = typeof value === "string" ? value : labelBesideId(value);
    if (label === undefined)
      throw refusal(`${what}, and the value of ${shownValue(key)} is no label`, SHAPES);
    return [keys[at] ?? 0, label];
  });
  return byIndex(labels, what, refusal);
}

/** The label in `["n01440764", "tench"]` and in `["tench"]`. */
function labelBesideId(value: Literal): string | undefined {
  if (!Array.isArray(value)) return undefined;
  const [first, second, third] = value as readonly Literal[];
  if (third !== undefined || typeof first !== "string") return undefined;
  if (second === undefined) return first;
  return /^n\d{8}$/.test(first) && typeof second === "string" ? second : undefined;
}

/** What an object holds that is more, or less, than the labels themselves. */
function unwrapped(pairs: readonly Pair[]): Literal | undefined {
  const isInner = (value: Literal): boolean =>
    value instanceof Dict || (Array.isArray(value) && value.length > 2);
  const found = WRAPPERS.flatMap((name) => pairs.filter(([key, value]) => key === name && isInner(value)));
  const [first, another] = found;
  if (first === undefined) return undefined;
  return another === undefined || first[0] === "id2label" ? first[1] : undefined;
}

/** Objects as a table, whose columns are all of their keys. */
function labelsOfRows(rows: readonly Dict[], what: string, refusal: Refusal): string[] {
  const header = [...new Set(rows.flatMap(({ pairs }) => pairs.map(([key]) => textOf(key))))];
  const table = rows.map(({ pairs }) => {
    const cells = new Map(pairs.map(([key, value]) => [textOf(key), value]));
    return header.map((name) => textOf(cells.get(name) ?? null));
  });
  return labelsOfTable({ header, rows: table }, what, refusal);
}

/** What a key or a cell says; nothing where it is a list, an object or a constant. */
function textOf(value: Literal): string {
  return typeof value === "string" || typeof value === "number" ? String(value) : "";
}

/** The whole number from 0 that a key is or spells. */
function indexOf(key: Literal): number | undefined {
  if (typeof key === "number") return key;
  return typeof key === "string" && /^\d{1,9}$/.test(key) ? Number(key) : undefined;
}
