/** The answers of a finished job as a Parquet file: a row per picture, in their order. */
import { shown } from "../../base/text/shown.ts";
import { createReadStream } from "node:fs";
import { rm } from "node:fs/promises";
import { createInterface } from "node:readline";
import { fileWriter, ParquetWriter } from "hyparquet-writer";
import type { ClassifyOptions } from "../../classification/options.ts";
import { PACKAGE_VERSION } from "../../base/version.ts";
import { replaceFile } from "../../base/files/files.ts";
import { unwritable } from "../../base/files/output.ts";
import { parseRecord } from "../../base/files/json.ts";

type Element = ConstructorParameters<typeof ParquetWriter>[0]["schema"][number];
type Row = Readonly<Record<string, unknown>>;

/** Rows are written in groups, and a group has to be in memory: so many at most, and so many characters of JSON. */
const GROUP_ROWS = 10_000;
const GROUP_CHARACTERS = 32 * 1024 * 1024;

/**
 * Makes the Parquet file at `path` of the lines of JSON in `lines`; what was at `path` is replaced once it is whole.
 *
 * Columns: `input` (string); `top`, a list of { `index` int32, `label` string, `score`, `percent` double }, and null for
 * a picture that failed; `error` { `code`, `message`, `hint` }, and null for one that did not; what `include` asks for:
 * `logits`, `probabilities` (lists of float), `tensor` { `shape`, `data` }, `timings` (a map of milliseconds), `batch`.
 */
export async function writeParquet(
  lines: string,
  path: string,
  include: NonNullable<ClassifyOptions["include"]>,
  network: Readonly<Record<string, unknown>>,
): Promise<void> {
  const columns = columnsOf(include);
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

/** Each column with what it consists of, from the outside in, as Parquet writes nested types down. */
function columnsOf(include: NonNullable<ClassifyOptions["include"]>): [Element, ...Element[]][] {
  const { logits = false, probabilities = false, tensor = false, timings = false } = include;
  return [
    [text("input")],
    listOf("top", struct("element", [int("index"), text("label"), double("score"), double("percent")])),
    optional(struct("error", [text("code"), text("message"), text("hint")])),
    ...(logits ? [listOf("logits", [float("element")])] : []),
    ...(probabilities ? [listOf("probabilities", [float("element")])] : []),
    ...(tensor ? [optional(tensorOf())] : []),
    ...(timings ? [mapOf("timings", double("value")), optional([int("batch")])] : []),
  ];
}

const int = (name: string): Element => ({ name, type: "INT32", repetition_type: "REQUIRED" });
const float = (name: string): Element => ({ name, type: "FLOAT", repetition_type: "REQUIRED" });
const double = (name: string): Element => ({ name, type: "DOUBLE", repetition_type: "REQUIRED" });
const text = (name: string): Element => ({
  name,
  type: "BYTE_ARRAY",
  converted_type: "UTF8",
  repetition_type: "REQUIRED",
});

function struct(name: string, fields: readonly Element[]): [Element, ...Element[]] {
  return [{ name, repetition_type: "REQUIRED", num_children: fields.length }, ...fields];
}

function optional([outside, ...inside]: [Element, ...Element[]]): [Element, ...Element[]] {
  return [{ ...outside, repetition_type: "OPTIONAL" }, ...inside];
}

function listOf(name: string, element: readonly Element[]): [Element, ...Element[]] {
  return [
    { name, repetition_type: "OPTIONAL", converted_type: "LIST", num_children: 1 },
    { name: "list", repetition_type: "REPEATED", num_children: 1 },
    ...element,
  ];
}

function mapOf(name: string, value: Element): [Element, ...Element[]] {
  return [
    { name, repetition_type: "OPTIONAL", converted_type: "MAP", num_children: 1 },
    { name: "key_value", repetition_type: "REPEATED", num_children: 2 },
    text("key"),
    value,
  ];
}

function tensorOf(): [Element, ...Element[]] {
  const children = [listOf("shape", [int("element")]), listOf("data", [float("element")])];
  return [{ name: "tensor", repetition_type: "OPTIONAL", num_children: children.length }, ...children.flat()];
}
