/** A line of a list that is a row of a table: which of its cells is the path. */
import { cellsOf } from "../../base/text/cells.ts";

/** Which cell of a row is the path. */
export interface PathColumn {
  readonly separator: string;
  readonly column: number;
}

const SEPARATORS = ["\t", ";", ","] as const;
/** What the column of the paths is called, without blanks and signs. */
const PATH =
  /^(?:path|filepath|file|filename|image|imagepath|imagefile|imagename|img|imgpath|picture|photo|url|src|路径|文件|文件名|图片|图像|路徑|檔案|圖片)$/;

/** The column that a header names as that of the paths; `undefined` where the line is no such header. */
export function headerOf(line: string): PathColumn | undefined {
  for (const separator of SEPARATORS) {
    const names = (cellsOf(line, separator) ?? []).map((name) =>
      name.toLowerCase().replaceAll(/[^\p{L}\p{N}]/gu, ""),
    );
    const found = names.flatMap((name, column) => (PATH.test(name) ? [column] : []));
    // One name alone is a column, too, whatever would part it from others.
    const [column, another] = found;
    if (column !== undefined && another === undefined) return { separator, column };
  }
  return undefined;
}

/** The columns of a row in which something is, by `isThere`; each way to part the row is tried. */
export async function columnsThere(
  line: string,
  isThere: (name: string) => Promise<boolean>,
): Promise<readonly PathColumn[]> {
  const found: PathColumn[] = [];
  for (const separator of SEPARATORS) {
    const cells = cellsOf(line, separator) ?? [];
    if (cells.length < 2) continue;
    for (const [column, cell] of cells.entries())
      if (cell !== "" && (await isThere(cell))) found.push({ separator, column });
  }
  return found;
}

/** The path in a row; `undefined` where it has no such cell. */
export function cellAt(line: string, { separator, column }: PathColumn): string | undefined {
  return cellsOf(line, separator)?.[column];
}
