/** The Parquet file that `classify --out FILE.parquet` makes of its lines, read back by hyparquet. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects } from "hyparquet";
import { afterEach, beforeEach, expect, test } from "vitest";
import { IsotorchError } from "../../../src/base/errors.ts";
import { vectors } from "../../../src/cli/job/answers.ts";
import { answerColumns, vectorColumns, writeParquet } from "../../../src/cli/job/parquet.ts";

let folder: string;
let lines: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "parquet-test-"));
  lines = join(folder, "a.parquet.jsonl");
  path = join(folder, "a.parquet");
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

function give(answers: readonly unknown[]): void {
  writeFileSync(lines, answers.map((answer) => `${JSON.stringify(answer)}\n`).join(""));
}

const NETWORK = { model: "resnet101", weights: "untrained:0", trained: false };
const best = {
  label: '金毛 tench, "Tinca"',
  index: 207,
  score: 0.9123456716537476,
  percent: 91.23456573486328,
};
const second = { label: "", index: 0, score: 1e-45, percent: 0 };
const error = { code: "DECODE_FAILED", message: "Not a picture.", hint: "Give another." };

test("has what the lines have, digit for digit, in their order, and null for what they have not", async () => {
  give([
    { input: "a.jpg", top: [best, second] },
    { input: "b.jpg", error },
    { input: "c.jpg", top: [] },
  ]);
  await writeParquet(lines, path, answerColumns({}), NETWORK);
  const rows = await parquetReadObjects({ file: await asyncBufferFromFile(path) });
  expect(rows).toEqual([
    { input: "a.jpg", top: [best, second], error: undefined },
    { input: "b.jpg", top: undefined, error },
    { input: "c.jpg", top: [], error: undefined },
  ]);
});

test("has a column for each thing that was to be included", async () => {
  const logits = [Math.fround(0.1), -3.5, 0];
  const included = {
    logits,
    probabilities: logits,
    embedding: logits,
    tensor: { shape: [1, 3, 1, 1], data: logits },
    timings: { decode: 1.25, total: 3 },
    batch: 2,
  };
  give([
    { input: "a.jpg", top: [best], ...included },
    { input: "b.jpg", error },
  ]);
  await writeParquet(
    lines,
    path,
    answerColumns({ logits: true, probabilities: true, embedding: true, tensor: true, timings: true }),
    NETWORK,
  );
  const [first, failed] = await parquetReadObjects({ file: await asyncBufferFromFile(path) });
  expect(first).toEqual({ input: "a.jpg", top: [best], error: undefined, ...included });
  expect(failed).toEqual({ input: "b.jpg", error, batch: null });
});

test("of vectors has a picture and its embedding in each row, or why there is none", async () => {
  const embedding = [Math.fround(0.1), 1e-45, -0];
  const result = { top: [], embedding: { data: Float32Array.from(embedding), shape: [3] } };
  writeFileSync(
    lines,
    vectors.of({ name: "a.jpg", result }) +
      vectors.of({
        name: "b.jpg",
        error: new IsotorchError("DECODE_FAILED", error.message, { hint: error.hint }),
      }),
  );
  await writeParquet(lines, path, vectorColumns(), NETWORK);
  const rows = await parquetReadObjects({ file: await asyncBufferFromFile(path) });
  expect(rows).toEqual([
    { input: "a.jpg", embedding: embedding.map(Math.fround), error: undefined },
    { input: "b.jpg", embedding: undefined, error },
  ]);
});

test("is written in groups, so that it may be longer than memory, and says who answered", async () => {
  give(
    Array.from({ length: 25_000 }, (_, at) => ({ input: `${at}.jpg`, top: [{ ...best, index: at % 1000 }] })),
  );
  await writeParquet(lines, path, answerColumns({}), NETWORK);
  const file = await asyncBufferFromFile(path);
  const { row_groups: groups, key_value_metadata: known } = await parquetMetadataAsync(file);
  expect(known).toEqual([{ key: "isotorch", value: JSON.stringify(NETWORK) }]);
  expect(groups.map(({ num_rows: rows }) => Number(rows))).toEqual([10_000, 10_000, 5_000]);
  const rows = await parquetReadObjects({ file });
  expect(rows.map(({ input }) => input as string)).toEqual(
    Array.from({ length: 25_000 }, (_, at) => `${at}.jpg`),
  );
});

test("of no pictures is a file without rows", async () => {
  give([]);
  await writeParquet(lines, path, answerColumns({}), NETWORK);
  expect(await parquetReadObjects({ file: await asyncBufferFromFile(path) })).toEqual([]);
});

test("that cannot be written leaves what was there, and says that the lines are whole", async () => {
  give([{ input: "a.jpg", top: [{ label: "no index" }] }]);
  writeFileSync(path, "before");
  await expect(writeParquet(lines, path, answerColumns({}), NETWORK)).rejects.toMatchObject({
    code: "INVALID_OPTION",
    hint: expect.stringContaining(lines) as string,
  });
  expect(readFileSync(path, "utf8")).toBe("before");
  expect(existsSync(`${path}.new`)).toBe(false);
});
