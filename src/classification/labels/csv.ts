/** Labels in CSV, TSV and the like: which sign parts the cells, whether there is a header, what its cells are. */
import { cellsOf } from "../../base/text/cells.ts";
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
  for (const side of ["indexOf", "lastIndexOf"] as const) {
    const pairs = lines.flatMap((line) => {
      const at = line[side](separator);
      const [before, after] = [line.slice(0, at), line.slice(at + separator.length)];
      const [number, label] = side === "indexOf" ? [before, after] : [after, before];
      const index = at === -1 ? undefined : /^"?(\d{1,9})"?$/.exec(number.trim())?.[1];
      return index === undefined ? [] : [[Number(index), label] as const];
    });
    if (pairs.length < lines.length) continue;
    const indices = pairs.map(([index]) => index);
    // Numbers that do not count the lines belong to the labels.
    const isCount =
      indices.every((index) => index <= lines.length) && new Set(indices).size >= 0.9 * lines.length;
    if (!isCount) continue;
    const afterId = (label: string): string | undefined => {
      const at = label.indexOf(separator);
      return at !== -1 && /^n\d{8}$/.test(label.slice(0, at).trim())
        ? label.slice(at + separator.length)
        : undefined;
    };
    const hasIds = pairs.every(([, label]) => afterId(label) !== undefined);
    const labels = pairs.map(
      ([index, label]) => [index, unquoted((hasIds ? afterId(label) : undefined) ?? label)] as const,
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
