/** Files of vectors: `.npy` with its `.npy.json`, `.parquet`, `.jsonl`. */
import { createReadStream } from "node:fs";
import { open, stat } from "node:fs/promises";
import { createInterface } from "node:readline";
import { IsotorchError, messageOf } from "../base/errors.ts";
import { readJson } from "../base/files/files.ts";
import { isRecord, parseRecord } from "../base/files/json.ts";
import { readNpy } from "../base/files/npy.ts";
import { shown } from "../base/text/shown.ts";
import { checked, unreadable } from "./vector.ts";
import type { Vectors } from "./vector.ts";

type Rows = Vectors["rows"];

/** The longest header of a `.npy` file of version 1. */
const LONGEST_HEADER = 10 + 65_535;
/** Bytes of an array that are read at once. */
const CHUNK = 4 * 1024 * 1024;
/** Rows of a Parquet file that are read at once. */
const PARQUET_ROWS = 1_000;

/**
 * The vectors of a file that `embed` made. Rows are read as they are asked for.
 *
 * @throws IsotorchError `INPUT_NOT_FOUND`, `INPUT_UNREADABLE` for what is no such file, also while its rows are read; `INVALID_OPTION`
 * for a name with another end.
 */
export async function readVectors(file: string): Promise<Vectors> {
  const read = Object.entries(READERS).find(([end]) => file.endsWith(end))?.[1];
  if (read === undefined)
    throw new IsotorchError("INVALID_OPTION", `${shown(file)} ends with none of .npy, .parquet and .jsonl.`, {
      hint: "`isotorch embed … --out FILE` makes files of vectors.",
    });
  if ((await stat(file).catch(() => undefined)) === undefined)
    throw new IsotorchError("INPUT_NOT_FOUND", `There is no file ${shown(file)}.`);
  try {
    const { made, rows } = await read(file);
    return { made, rows: checked(file, told(file, rows)) };
  } catch (cause) {
    throw asUnreadable(file, cause);
  }
}

const READERS: Readonly<Record<string, (file: string) => Promise<Vectors>>> = {
  ".npy": fromNpy,
  ".parquet": fromParquet,
  ".jsonl": fromLines,
};

async function* told(file: string, rows: Rows): Rows {
  try {
    yield* rows;
  } catch (cause) {
    throw asUnreadable(file, cause);
  }
}

function asUnreadable(file: string, cause: unknown): IsotorchError {
  return cause instanceof IsotorchError ? cause : unreadable(file, messageOf(cause), cause);
}

async function fromLines(file: string): Promise<Vectors> {
  const { conditions } = await readJson(`${file}.job`);
  return { made: isRecord(conditions) ? conditions : undefined, rows: linesIn(file) };
}

/** The vectors in lines of JSON. @throws IsotorchError `INPUT_UNREADABLE` */
export async function* linesIn(file: string): Rows {
  let number = 0;
  for await (const line of createInterface({ input: createReadStream(file), crlfDelay: Infinity })) {
    number += 1;
    const { input, embedding, error } = parseRecord(line);
    if (typeof input !== "string") throw unreadable(file, `line ${number} has no \`input\``);
    if (isRecord(error)) {
      yield { name: input, values: undefined };
      continue;
    }
    if (!isNumbers(embedding)) throw unreadable(file, `line ${number} has no \`embedding\``);
    yield { name: input, values: Float32Array.from(embedding) };
  }
}

function isNumbers(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((one) => typeof one === "number");
}

/** Beside the array stands whose its rows are. */
async function fromNpy(file: string): Promise<Vectors> {
  const beside = `${file}.json`;
  const { inputs, failed, network } = await readJson(beside);
  if (!Array.isArray(inputs)) throw unreadable(file, `${shown(beside)} does not name its rows`);
  return { made: isRecord(network) ? network : undefined, rows: arrayIn(file, inputs, failed) };
}

async function* arrayIn(file: string, inputs: readonly string[], failed: unknown): Rows {
  await using handle = await opened(file);
  const start = Buffer.alloc(LONGEST_HEADER);
  const { bytesRead } = await handle.file.read(start, 0, LONGEST_HEADER, 0);
  const { dtype, shape, bytes } = readNpy(start.subarray(0, bytesRead), file);
  const [count = 0, size = 0] = shape;
  if (dtype !== "<f4" || shape.length !== 2)
    throw unreadable(file, `it is ${dtype} [${shape.join(", ")}], and not <f4 [N, D]`);
  if (count !== inputs.length)
    throw unreadable(file, `it has ${count} rows, and ${inputs.length} names stand beside it`);
  const begin = bytesRead - bytes.length;
  const together = Math.max(1, Math.floor(CHUNK / (4 * Math.max(1, size))));
  for (let from = 0; from < count; from += together) {
    const rows = Math.min(together, count - from);
    const chunk = new Float32Array(rows * size);
    const view = new Uint8Array(chunk.buffer);
    const read = await handle.file.read(view, 0, view.length, begin + from * size * 4);
    if (read.bytesRead < view.length) throw unreadable(file, "it is cut short");
    for (let row = 0; row < rows; row += 1)
      yield { name: inputs[from + row]!, values: chunk.subarray(row * size, (row + 1) * size) };
  }
  for (const one of Array.isArray(failed) ? failed : []) yield { name: String(one), values: undefined };
}

async function opened(file: string): Promise<{ file: Awaited<ReturnType<typeof open>> } & AsyncDisposable> {
  const handle = await open(file);
  return { file: handle, [Symbol.asyncDispose]: () => handle.close() };
}

async function fromParquet(file: string): Promise<Vectors> {
  const { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects } = await import("hyparquet");
  const buffer = await asyncBufferFromFile(file);
  const metadata = await parquetMetadataAsync(buffer);
  const made = metadata.key_value_metadata?.find(({ key }) => key === "isotorch")?.value;
  const count = Number(metadata.num_rows);
  const rows = (async function* (): Rows {
    for (let rowStart = 0; rowStart < count; rowStart += PARQUET_ROWS) {
      const rowEnd = Math.min(count, rowStart + PARQUET_ROWS);
      const columns = ["input", "embedding"];
      for (const row of await parquetReadObjects({ file: buffer, metadata, columns, rowStart, rowEnd })) {
        const { input, embedding } = row;
        const values = Array.isArray(embedding) ? Float32Array.from(embedding as number[]) : undefined;
        yield { name: input as string, values };
      }
    }
  })();
  return { made: made === undefined ? undefined : parseRecord(made), rows };
}
