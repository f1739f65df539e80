/** The cells of one row of CSV, of TSV and the like. */

/** Characters of a row; what is longer is something else. */
const LONGEST_ROW = 65_536;

/**
 * The cells of a line, without the blanks around them. A cell may be in double quotes, in which "" is a quote.
 *
 * @param most of so many cells the last one holds all that is left.
 * @returns undefined for a quote without an end on this line, and for a line that is too long for a row.
 */
export function cellsOf(
  line: string,
  separator: string,
  most: number = Number.POSITIVE_INFINITY,
): string[] | undefined {
  const cells: string[] = [];
  if (line.length > LONGEST_ROW) return undefined;
  for (let rest = line; ;) {
    const quoted = /^\s*"((?:[^"]|"")*)"\s*/.exec(rest);
    const after = quoted === null ? undefined : rest.slice(quoted[0].length);
    if (quoted !== null && after !== undefined && (after === "" || after.startsWith(separator))) {
      cells.push((quoted[1] ?? "").replaceAll('""', '"'));
      if (after === "") return cells;
      if (cells.length === most) return [...cells, after];
      rest = after.slice(separator.length);
      continue;
    }
    if (quoted === null && /^\s*"/.test(rest)) return undefined;
    const end = cells.length + 1 === most ? -1 : rest.indexOf(separator);
    cells.push((end === -1 ? rest : rest.slice(0, end)).trim());
    if (end === -1) return cells;
    rest = rest.slice(end + separator.length);
  }
}
