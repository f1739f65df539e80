/** A picture's vector, as `embed` makes it, and what is taken for one. */
import { IsotorchError } from "../base/errors.ts";
import { shown } from "../base/text/shown.ts";

export interface Vector {
  /** The picture, as it was named. */
  readonly name: string;
  readonly values: Float32Array;
}

/** The vectors of a file. */
export interface Vectors {
  /** What they depend on, by name, as `embed` wrote it down; undefined where nothing says it. */
  readonly made: Readonly<Record<string, unknown>> | undefined;
  /** In their order. A picture that failed has none. */
  readonly rows: AsyncIterable<Vector | { readonly name: string; readonly values: undefined }>;
}

/** Makes the error of a file of vectors: `why` follows its name. */
export function unreadable(file: string, why: string, cause?: unknown): IsotorchError {
  return new IsotorchError("INPUT_UNREADABLE", `${shown(file)} cannot be read as vectors: ${why}.`, {
    hint: "`isotorch embed … --out FILE` makes such a file, and makes it anew when it is called again.",
    ...(cause !== undefined && { cause }),
  });
}

/**
 * The rows as they come, each looked at.
 *
 * @throws IsotorchError `INPUT_UNREADABLE` for a row of another length than the first, without a name, or with what is no finite number.
 */
export async function* checked(file: string, rows: Vectors["rows"]): AsyncGenerator<RowOf, void, undefined> {
  let [row, size] = [0, 0];
  for await (const { name, values } of rows) {
    row += 1;
    if (typeof name !== "string") throw unreadable(file, `row ${row} has no \`input\``);
    if (values === undefined) {
      yield { name, values };
      continue;
    }
    if (size === 0) size = values.length;
    if (values.length === 0 || values.length !== size)
      throw unreadable(file, `row ${row} has ${values.length} values, and those before have ${size}`);
    if (!values.every(Number.isFinite)) throw unreadable(file, `row ${row} has what is no finite number`);
    yield { name, values };
  }
}

type RowOf = Vectors["rows"] extends AsyncIterable<infer Row> ? Row : never;
