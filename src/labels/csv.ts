/** Labels in CSV, TSV and the like: which sign parts the cells, whether there is a header, what its cells are. */
import { cellsOf } from "../base/cells.ts";
import { byIndex } from "./indexed.ts";
import type { Refusal } from "./refusal.ts";
import { isHeader, isIndexName, isLabelName, labelsOfTable } from "./table.ts";

const SEPARATORS: readonly (readonly [separator: string, what: string])[] = [
  ["\t", "is a TSV table"],
  [";", "is a CSV table with semicolons"],
  [",", "is a CSV table"],
  ["|", 'is a table with "|"'],
];

/**
 * The labels of a table with a header, or of lines that all begin or all end with the index of their class.
 *
 * @param lines without blank ones at the end.
 * @returns undefined where the lines are no such table.
 * @throws IsotorchError `BAD_LABELS` for a table that cannot be understood.
 */
export function labelsOfCsv(lines: readonly string[], refusal: Refusal): string[] | undefined {
  const filled = lines.filter((line) => line.trim() !== "");
  if (filled.length < 2) return undefined;
  for (const [separator, what] of SEPARATORS) {
    if (!filled.every((line) => line.includes(separator))) continue;
    const header = cellsOf(filled[0] ?? "", separator)?.map((cell) => cell.trim());
    const rows = filled.slice(1).map((line) => cellsOf(line, separator));
    const table = { header: header ?? [], rows: rows.map((row) => row ?? []) };
    if (header !== undefined && isHeader(table)) {
      return labelsOfTable(
        { header, rows: rowsUnder(header, filled.slice(1), separator, what, refusal) },
        what,
        refusal,
      );
    }
    const labels = withoutHeader(filled, separator, what, refusal);
    if (labels !== undefined) return labels;
  }
  return undefined;
}

/** The cells of every row, as many as there are names. A label in the last column may hold the sign without quotes. */
function rowsUnder(
  header: readonly string[],
  lines: readonly string[],
  separator: string,
  what: string,
  refusal: Refusal,
): string[][] {
  const [first = "", last = ""] = [header[0], header.at(-1)];
  const mayHold = isLabelName(last) || (header.length === 2 && isIndexName(first) && !isLabelName(first));
  return lines.map((line, at) => {
    const cells = cellsOf(line, separator, mayHold ? header.length : undefined);
    const row = `row ${at + 1}, ${JSON.stringify(line.slice(0, 60))},`;
    if (cells === undefined) throw refusal(`${what}, and ${row} has a quote without an end, or is too long`);
    if (cells.length !== header.length) {
      throw refusal(
        `${what}, and ${row} has ${cells.length} cells under ${header.length} names`,
        `Put labels that hold "${separator}" in double quotes.`,
      );
    }
    return cells;
  });
}

/** `0,tench` or `tench,0` on every line, with each index once; also `0,n01440764,tench`. */
function withoutHeader(
  lines: readonly string[],
  separator: string,
  what: string,
  refusal: Refusal,
): string[] | undefined {
  const mark = separator === "|" ? "\\|" : separator;
  const patterns = [
    new RegExp(`^\\s*"?(?<index>\\d{1,9})"?\\s*${mark}(?<label>.*)$`),
    new RegExp(`^(?<label>.*)${mark}\\s*"?(?<index>\\d{1,9})"?\\s*$`),
  ];
  for (const pattern of patterns) {
    const found = lines.map((line) => pattern.exec(line)?.groups);
    const pairs = found.flatMap((groups) =>
      groups === undefined ? [] : [[Number(groups["index"]), groups["label"] ?? ""] as const],
    );
    if (pairs.length < lines.length) continue;
    const indices = pairs.map(([index]) => index);
    // Numbers that do not count the lines belong to the labels.
    const isCount =
      indices.every((index) => index <= lines.length) && new Set(indices).size >= 0.9 * lines.length;
    if (!isCount) continue;
    const id = new RegExp(`^\\s*n\\d{8}\\s*${mark}`);
    const hasIds = pairs.every(([, label]) => id.test(label));
    const labels = pairs.map(
      ([index, label]) => [index, unquoted(hasIds ? label.replace(id, "") : label)] as const,
    );
    return byIndex(labels, `${what} without a header`, refusal);
  }
  return undefined;
}

/** A cell without its quotes, where it is in quotes as a whole. */
export function unquoted(cell: string): string {
  const whole = /^\s*"((?:[^"]|"")*)"\s*$/.exec(cell)?.[1];
  return whole === undefined ? cell : whole.replaceAll('""', '"');
}
