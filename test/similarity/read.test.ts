/** Files of vectors that are none, or not any more. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { writeNpy } from "../../src/base/files/npy.ts";
import { identicalAmong } from "../../src/similarity/identical.ts";
import { readVectors } from "../../src/similarity/read.ts";
import { failureOf } from "../failure.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "vectors-test-"));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

function give(name: string, content: string | Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

function npy(shape: readonly number[], data: ArrayBufferView, inputs: unknown, dtype = "<f4"): string {
  give("v.npy.json", JSON.stringify({ inputs }));
  return give("v.npy", writeNpy(dtype, shape, data));
}

async function read(file: string): Promise<(readonly [string, number[] | undefined])[]> {
  const rows: (readonly [string, number[] | undefined])[] = [];
  for await (const { name, values } of (await readVectors(file)).rows)
    rows.push([name, values && [...values]]);
  return rows;
}

describe("a file of vectors is refused when", () => {
  test.each([
    ["it is not there", () => join(folder, "none.npy"), "INPUT_NOT_FOUND", /no file/],
    ["its name ends otherwise", () => give("v.csv", ""), "INVALID_OPTION", /ends with none of/],
    [
      "it is no array",
      () => (give("v.npy.json", '{"inputs":[]}'), give("v.npy", "text")),
      "INPUT_UNREADABLE",
      /first bytes/,
    ],
    [
      "nothing names its rows",
      () => give("v.npy", writeNpy("<f4", [1, 1], new Float32Array(1))),
      "INPUT_UNREADABLE",
      /does not name its rows/,
    ],
    [
      "more is named than there is",
      () => npy([1, 2], new Float32Array(2), ["a", "b"]),
      "INPUT_UNREADABLE",
      /1 rows, and 2 names/,
    ],
    ["it has other numbers", () => npy([1, 2], new Float64Array(2), ["a"], "<f8"), "INPUT_UNREADABLE", /<f8/],
    ["it has another shape", () => npy([2], new Float32Array(2), ["a", "b"]), "INPUT_UNREADABLE", /\[N, D\]/],
    ["it is cut short", () => npy([2, 2], new Float32Array(3), ["a", "b"]), "INPUT_UNREADABLE", /cut short/],
    [
      "a number is not finite",
      () => npy([1, 2], Float32Array.of(1, NaN), ["a"]),
      "INPUT_UNREADABLE",
      /row 1 has what is no finite/,
    ],
    [
      "a name is no text",
      () => npy([1, 2], new Float32Array(2), [7]),
      "INPUT_UNREADABLE",
      /row 1 has no `input`/,
    ],
    [
      "its last line is torn",
      () => give("v.jsonl", '{"input":"a","embedding":[1]}\n{"input":"b","emb'),
      "INPUT_UNREADABLE",
      /line 2 has no `input`/,
    ],
    [
      "a line is an answer of another kind",
      () => give("v.jsonl", '{"input":"a","top":[]}\n'),
      "INPUT_UNREADABLE",
      /line 1 has no `embedding`/,
    ],
    [
      "rows differ in length",
      () => give("v.jsonl", '{"input":"a","embedding":[1]}\n{"input":"b","embedding":[1,2]}\n'),
      "INPUT_UNREADABLE",
      /row 2 has 2 values/,
    ],
    ["it is no Parquet", () => give("v.parquet", "PAR1 and no more"), "INPUT_UNREADABLE", /./],
  ] as const)("%s", async (_, make, code, why) => {
    const error = await failureOf(read(make()));
    expect(error).toMatchObject({ code, message: expect.stringMatching(why) as string });
  });
});

test("an array of many rows is read piece by piece, and those that failed come last, without a vector", async () => {
  const [count, size] = [3_000, 512];
  const data = Float32Array.from(
    { length: count * size },
    (_, at) => Math.floor(at / size) + (at % size) / 512,
  );
  const file = npy(
    [count, size],
    data,
    Array.from({ length: count }, (_, at) => `${at}.jpg`),
  );
  give(
    "v.npy.json",
    JSON.stringify({ inputs: Array.from({ length: count }, (_, at) => `${at}.jpg`), failed: ["bad.jpg"] }),
  );
  const rows = await read(file);
  expect(rows.length).toBe(count + 1);
  expect(rows.at(-1)).toEqual(["bad.jpg", undefined]);
  expect(
    rows.findIndex(
      ([name, values], at) => at < count && (name !== `${at}.jpg` || values?.[511] !== at + 511 / 512),
    ),
  ).toBe(-1);
});

test("identical files are told by their bytes, and those that cannot be read are counted", async () => {
  const files = [
    give("a", "one"),
    give("b", "other"),
    give("c", "one"),
    join(folder, "gone"),
    "https://example.com/x",
    give("d", "one"),
  ];
  const { firsts, unread } = await identicalAmong(files.entries());
  expect([...firsts]).toEqual([
    [2, 0],
    [5, 0],
  ]);
  expect(unread).toBe(1);
});
