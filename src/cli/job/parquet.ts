/** The answers of a finished job as a Parquet file: a row per picture, in their order. */
import { shown } from "../../base/text/shown.ts";
import { createReadStream } from "node:fs";
import { rm } from "node:fs/promises";
import { createInterface } from "node:readline";
import { fileWriter, ParquetWriter } from "hyparquet-writer";
import type { ClassifyOptions } from "../../classification/options.ts";
import type { Conditions } from "./conditions.ts";
import { PACKAGE_VERSION } from "../../base/version.ts";
import { replaceFile } from "../../base/files/files.ts";
import { unwritable } from "../../base/files/output.ts";
import { parseRecord } from "../../base/files/json.ts";

type Element = ConstructorParameters<typeof ParquetWriter>[0]["schema"][number];
type Row = Readonly<Record<string, unknown>>;
/** A column with what it consists of, from the outside in, as Parquet writes nested types down. */
type Column = [Element, ...Element[]];

/** Rows are written in groups, and a group has to be in memory: so many at most, and so many characters of JSON. */
const GROUP_ROWS = 10_000;
const GROUP_CHARACTERS = 32 * 1024 * 1024;

/**
 * Makes the Parquet file at `path` of the lines of JSON in `lines`; what was at `path` is replaced once it is whole.
 *
 * @param columns those of {@link answerColumns} or {@link vectorColumns}; null where a line has nothing for one.
 * @param network what the answers depend on, which the file's metadata has under the key `isotorch`.
 */
export async function writeParquet(
  lines: string,
  path: string,
  columns: readonly Column[],
  network: Conditions,
): Promise<void> {
  const names = columns.map(([{ name }]) => name);
  const whole = `${path}.new`;
  try {
    const schema = [{ name: "answers", num_children: columns.length }, ...columns.flat()];
    const writer = new ParquetWriter({
      writer: fileWriter(whole),
      schema,
      createdBy: `isotorch ${PACKAGE_VERSION}`,
      kvMetadata: [{ key: "isotorch", value: JSON.stringify(network) }],
    });
    for await (const rows of groupsOf(lines)) {
      const columnData = names.map((name) => ({ name, data: rows.map((row) => row[name]) }));
      await writer.write({ columnData, rowGroupSize: rows.length });
    }
    await writer.finish();
    await replaceFile(whole, path);
  } catch (cause) {
    await rm(whole, { force: true }).catch(() => {});
    const keeps = `The answers are whole in ${lines}; the same command again makes the file of them.`;
    throw unwritable(shown(path), cause, path, keeps);
  }
}

async function* groupsOf(lines: string): AsyncGenerator<Row[], void, undefined> {
  let rows: Row[] = [];
  let characters = 0;
  for await (const line of createInterface({ input: createReadStream(lines) })) {
    const { timings, ...row } = parseRecord(line);
    rows.push({
      ...row,
      ...(timings !== undefined && { timings: new Map(Object.entries(timings as object)) }),
    });
    characters += line.length;
    if (rows.length < GROUP_ROWS && characters < GROUP_CHARACTERS) continue;
    yield rows;
    rows = [];
    characters = 0;
  }
  if (rows.length > 0) yield rows;
}

/**
 * Of answers: `input` (string); `top`, a list of { `index` int32, `label` string, `score`, `percent` double }, and null for
 * a picture that failed; `error` { `code`, `message`, `hint` }, and null for one that did not; what `include` asks for:
 * `logits`, `probabilities`, `embedding` (lists of float), `tensor` { `shape`, `data` }, `timings` (a map of milliseconds),
 * `batch`.
 */
export function answerColumns(include: NonNullable<ClassifyOptions["include"]>): Column[] {
  const {
    logits = false,
    probabilities = false,
    embedding = false,
    tensor = false,
    timings = false,
  } = include;
  return [
    [text("input")],
    listOf("top", struct("element", [int("index"), text("label"), double("score"), double("percent")])),
    failure(),
    ...(embedding ? [listOf("embedding", [float("element")])] : []),
    ...(logits ? [listOf("logits", [float("element")])] : []),
    ...(probabilities ? [listOf("probabilities", [float("element")])] : []),
    ...(tensor ? [optional(tensorOf())] : []),
    ...(timings ? [mapOf("timings", double("value")), optional([int("batch")])] : []),
  ];
}

/** Of embeddings: `input` (string); `embedding`, a list of float; `error`. One of the two is null. */
export function vectorColumns(): Column[] {
  return [[text("input")], listOf("embedding", [float("element")]), failure()];
}

const failure = (): Column => optional(struct("error", [text("code"), text("message"), text("hint")]));

const int = (name: string): Element => ({ name, type: "INT32", repetition_type: "REQUIRED" });
const float = (name: string): Element => ({ name, type: "FLOAT", repetition_type: "REQUIRED" });
const double = (name: string): Element => ({ name, type: "DOUBLE", repetition_type: "REQUIRED" });
const text = (name: string): Element => ({
  name,
  type: "BYTE_ARRAY",
  converted_type: "UTF8",
  repetition_type: "REQUIRED",
});

function struct(name: string, fields: readonly Element[]): Column {
  return [{ name, repetition_type: "REQUIRED", num_children: fields.length }, ...fields];
}

function optional([outside, ...inside]: Column): Column {
  return [{ ...outside, repetition_type: "OPTIONAL" }, ...inside];
}

function listOf(name: string, element: readonly Element[]): Column {
  return [
    { name, repetition_type: "OPTIONAL", converted_type: "LIST", num_children: 1 },
    { name: "list", repetition_type: "REPEATED", num_children: 1 },
    ...element,
  ];
}

function mapOf(name: string, value: Element): Column {
  return [
    { name, repetition_type: "OPTIONAL", converted_type: "MAP", num_children: 1 },
    { name: "key_value", repetition_type: "REPEATED", num_children: 2 },
    text("key"),
    value,
  ];
}

function tensorOf(): Column {
  const children = [listOf("shape", [int("element")]), listOf("data", [float("element")])];
  return [{ name: "tensor", repetition_type: "OPTIONAL", num_children: children.length }, ...children.flat()];
}
