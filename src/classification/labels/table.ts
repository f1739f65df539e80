/** Labels in a table: rows of CSV, of TSV or of objects, with the columns' names in front. */
import { areIndices, byIndex } from "./indexed.ts";
import type { Refusal } from "./refusal.ts";

/** A table: every row has a cell for every column. */
export interface Table {
  readonly header: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** What the columns of such tables are called, without blanks and signs. */
const INDEX =
  /^(?:index|idx|id|classid|classindex|classidx|labelid|labelindex|number|num|no|key|target|class|label|(?:类别|類別|标签|標籤)?(?:序号|序號|编号|編號|索引|下标|下標|id)|编码|編碼)$/;
const LABEL =
  /^(?:labels?|labelnames?|classnames?|names?|displayname|(?:类别|類別)?(?:标签|標籤|名称|名稱|名字|名)|标签名|標籤名|类名|類名)$/;
/** Also names, where no column has a plainer one. */
const MAYBE_LABEL =
  /^(?:class(?:es)?|category|categories|title|text|description|synset|类别|類別|中文|中文名)$/;
const WORDNET = /^(?:wnid|synset|synsetid|wordnetid)$/;

/**
 * Whether a table's header is one: two names of such columns, one over the indices of all rows, or the plain name of the
 * labels over rows that all have as many cells.
 */
export function isHeader({ header, rows }: Table): boolean {
  const known = header.filter((cell) =>
    [INDEX, LABEL, MAYBE_LABEL, WORDNET].some((names) => names.test(plain(cell))),
  );
  if (known.length > 1 && known.some(isLabelName)) return true;
  if (header.some((name, column) => isIndexName(name) && areIndices(numbersIn(rows, column)))) return true;
  const isEven = rows.every((row) => row.length === header.length);
  return isEven && header.length > 1 && header.some((name) => LABEL.test(plain(name)));
}

/** Whether a line by itself can be the name of a column of labels. */
export function isLabelName(cell: string): boolean {
  return LABEL.test(plain(cell)) || MAYBE_LABEL.test(plain(cell));
}

/** Whether a column of this name can hold the indices. */
export function isIndexName(cell: string): boolean {
  return INDEX.test(plain(cell));
}

/**
 * The labels of a table, by its index column where it has one, else in the order of its rows.
 *
 * @param what the format, as in "is a CSV table".
 * @throws IsotorchError `BAD_LABELS` where it is not clear which column the labels are.
 */
export function labelsOfTable({ header, rows }: Table, what: string, refusal: Refusal): string[] {
  const numbers = (column: number): number[] => numbersIn(rows, column);
  const numeric = header.map((_, column) => numbers(column).every((number) => number >= 0));
  const named = header.flatMap((name, column) =>
    INDEX.test(plain(name)) && numeric[column] === true ? [column] : [],
  );
  // Of several, such as id and index, the one that counts the classes.
  const [index] = [...named.filter((column) => areIndices(numbers(column))), ...named];
  const texts = header.flatMap((name, column) =>
    column !== index && numeric[column] !== true ? [{ name: plain(name), column }] : [],
  );
  const others = texts.filter(({ name }) => !WORDNET.test(name));
  const byName = [LABEL, MAYBE_LABEL].map((names) => others.filter(({ name }) => names.test(name)));
  const found = [...byName, others, texts].find((columns) => columns.length > 0) ?? [];
  const [label, another] = found.map(({ column }) => column);
  if (label === undefined || another !== undefined) {
    const why = label === undefined ? "none of its columns" : "more than one of its columns";
    const columns = header.map((name) => JSON.stringify(name)).join(", ");
    throw refusal(
      `${what}, and ${why} can be the labels (${columns})`,
      'Name the columns "index" and "label".',
    );
  }
  const broken = header.findIndex(
    (name, column) => column !== label && isIndexName(name) && isPartlyNumeric(rows, column),
  );
  if (index === undefined && broken !== -1) {
    const at = rows.findIndex((row) => !(wholeNumber(row[broken] ?? "") >= 0));
    const cell = JSON.stringify(rows[at]?.[broken] ?? "");
    throw refusal(
      `${what}, and its column ${JSON.stringify(header[broken])} has ${cell} in row ${at + 1}, which is no index`,
      "Indices are whole numbers from 0 to one less than there are classes, each once.",
    );
  }
  if (index === undefined) return rows.map((row) => row[label] ?? "");
  return byIndex(
    rows.map((row) => [wholeNumber(row[index] ?? ""), row[label] ?? ""] as const),
    what,
    refusal,
  );
}

function plain(name: string): string {
  return name.toLowerCase().replaceAll(/[^\p{L}\p{N}]/gu, "");
}

function numbersIn(rows: Table["rows"], column: number): number[] {
  return rows.map((row) => wholeNumber(row[column] ?? ""));
}

/** Whether some cells are numbers though not all are indices: the order of the rows would then be a guess. */
function isPartlyNumeric(rows: Table["rows"], column: number): boolean {
  return (
    rows.some((row) => /^\s*[-+]?\d+(?:\.\d+)?\s*$/.test(row[column] ?? "")) &&
    !numbersIn(rows, column).every((number) => number >= 0)
  );
}

/** A whole number from 0, also with the .0 that pandas puts behind it; else NaN. */
function wholeNumber(cell: string): number {
  return /^\s*\d{1,9}(?:\.0+)?\s*$/.test(cell) ? Number(cell) : Number.NaN;
}
