import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { decode } from "../../../src/image/decode/decode.ts";
import { arrayFromBytes } from "../../../src/parity/compare/array.ts";
import type { StageArray } from "../../../src/parity/compare/array.ts";
import { compareArrays } from "../../../src/parity/compare/compare.ts";
import { GoldenReader } from "../../../src/parity/golden/read.ts";
import { GoldenWriter } from "../../../src/parity/golden/golden.ts";
import type { GoldenList } from "../../../src/parity/golden/golden.ts";
import { readNpy, writeNpy } from "../../../src/base/files/npy.ts";
import { stepsOf } from "../../../src/parity/ours.ts";
import { replay } from "../../../src/parity/golden/replay.ts";
import type { Compared } from "../../../src/parity/run.ts";
import type { Refusal, Traced } from "../../../src/parity/stages.ts";
import { PYTHON } from "../../python.ts";
import { side, SPEC, trace, WEIGHTS } from "../traces.ts";

const PICTURE = fileURLToPath(new URL("../../../examples/images/dog.webp", import.meta.url));
const BITMAP = Buffer.from(
  "424d3a0000000000000036000000280000000100000001000000010018000000000004000000000000000000000000000000000000000a141e00",
  "hex",
);
const REFUSED: Refusal = { kind: "refused", code: "OSError", message: "truncated" };

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "parity-golden-test-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** What the reference would hand over for a picture that is decoded here. */
async function golden(bytes: Uint8Array): Promise<Traced> {
  const { arrays } = stepsOf(await decode(bytes), SPEC);
  const { logits, percentages, order } = trace().arrays;
  return {
    kind: "traced",
    skipped: {},
    labels: ["a", "b"],
    arrays: { ...arrays, ...pick({ logits, percentages, order }) },
  };
}

function pick<T extends object>(entries: T): { [K in keyof T]: NonNullable<T[K]> } {
  return entries as { [K in keyof T]: NonNullable<T[K]> };
}

async function save(
  ...pictures: readonly Pick<Compared, "input" | "bytes" | "reference">[]
): Promise<GoldenReader> {
  const writer = await GoldenWriter.open(folder);
  for (const picture of pictures) await writer.add({ ...picture, kind: "webp RGB", attempts: [] });
  await writer.finish(side("plain"), WEIGHTS);
  return GoldenReader.open(folder);
}

async function replayed(reader: GoldenReader, at = 0): Promise<Compared["attempts"][number]["ladder"]> {
  const { attempts } = await replay(reader, reader.list.pictures[at]!);
  return attempts[0]!.ladder;
}

/** Saves the one picture and then edits the list, as somebody might by hand. */
async function edited(
  edit: (list: { -readonly [K in keyof GoldenList]: GoldenList[K] }) => void,
): Promise<void> {
  const bytes = readFileSync(PICTURE);
  await save({ input: PICTURE, bytes, reference: await golden(bytes) });
  const path = join(folder, "golden.json");
  const list = JSON.parse(readFileSync(path, "utf8")) as GoldenList;
  edit(list);
  writeFileSync(path, JSON.stringify(list));
}

describe("golden files are not believed when", () => {
  test("there is no list", async () => {
    await expect(GoldenReader.open(folder)).rejects.toMatchObject({ code: "INPUT_NOT_FOUND" });
  });

  test("one byte of an array was changed: the file is named", async () => {
    const bytes = readFileSync(PICTURE);
    const reader = await save({ input: PICTURE, bytes, reference: await golden(bytes) });
    const { file } = reader.list.pictures[0]!.arrays.resized!;
    const data = readFileSync(join(folder, file));
    data[data.length - 1]! ^= 1;
    writeFileSync(join(folder, file), data);
    expect(await replayed(reader)).toMatchObject({ verdict: "tampered", tampered: [file] });
  });

  test("the picture was changed, or a file is missing", async () => {
    const bytes = readFileSync(PICTURE);
    const reader = await save({ input: PICTURE, bytes, reference: await golden(bytes) });
    const [picture] = reader.list.pictures;
    writeFileSync(join(folder, picture!.file), "other");
    rmSync(join(folder, picture!.arrays.logits!.file));
    expect(await replayed(reader)).toMatchObject({
      verdict: "tampered",
      tampered: [picture!.file, `${picture!.arrays.logits!.file} (missing)`],
    });
  });

  test("the list points outside its folder", async () => {
    await edited((list) => {
      list.pictures = list.pictures.map((one) => ({ ...one, file: "../../etc/passwd" }));
    });
    await expect(GoldenReader.open(folder)).rejects.toMatchObject({ code: "INPUT_UNREADABLE" });
  });

  test("the list is of another format", async () => {
    await edited((list) => Object.assign(list, { format: 2 }));
    await expect(GoldenReader.open(folder)).rejects.toMatchObject({
      message: expect.stringContaining("its format is 2"),
    });
  });
});

describe("a replay without Python", () => {
  test("finds a golden array that is right by its hash and wrong by its values", async () => {
    const bytes = readFileSync(PICTURE);
    const right = await golden(bytes);
    const cropped = { ...right.arrays.cropped!, data: right.arrays.cropped!.data.with(9, 1) };
    const reader = await save({
      input: PICTURE,
      bytes,
      reference: { ...right, arrays: { ...right.arrays, cropped } },
    });
    expect(await replayed(reader)).toMatchObject({ verdict: "diverged", firstDivergence: "cropped" });
  });

  test("compares the stages before the network and says what it left out", async () => {
    const bytes = readFileSync(PICTURE);
    const ladder = await replayed(await save({ input: PICTURE, bytes, reference: await golden(bytes) }));
    expect(ladder).toMatchObject({ verdict: "equal" });
    const outcomes = ladder.rungs.map(({ stage, outcome }) => `${stage} ${outcome}`);
    expect(outcomes).toEqual([
      ...["decoded", "resized", "cropped", "toTensor", "normalized"].map((stage) => `${stage} equal`),
      ...["embedding", "logits", "percentages", "order", "labels"].map((stage) => `${stage} skipped`),
    ]);
  });

  test("goes on from the golden pixels where only Pillow decodes as Pillow does", async () => {
    const { arrays } = stepsOf({ data: Uint8Array.of(30, 20, 10), width: 1, height: 1 }, SPEC);
    const reference: Traced = { kind: "traced", arrays, skipped: {} };
    const ladder = await replayed(await save({ input: "one.bmp", bytes: BITMAP, reference }));
    expect(ladder.rungs[0]).toMatchObject({
      outcome: "skipped",
      why: expect.stringContaining("Pillow decodes"),
    });
    expect(ladder.rungs[1]).toMatchObject({ stage: "resized", outcome: "equal" });
  });

  test("agrees with a refusal that was kept", async () => {
    const bytes = Buffer.from("ffd8ffe000104a464946", "hex");
    const ladder = await replayed(await save({ input: "cut.jpg", bytes, reference: REFUSED }));
    expect(ladder).toMatchObject({ verdict: "refused", refusal: { reference: { code: "OSError" } } });
  });
});

const fileOf = ({ dtype, shape, data }: StageArray): Uint8Array => writeNpy(dtype, shape, data);

describe(".npy files", () => {
  test("are read by NumPy with their types, shapes and values", () => {
    const { cropped, normalized, order } = trace().arrays;
    const facts = [cropped!, normalized!, order!].map((array, index) => {
      const path = join(folder, `${index}.npy`);
      writeFileSync(path, fileOf(array));
      const code =
        "import numpy, sys; a = numpy.load(sys.argv[1]); print(a.dtype.str, a.shape, float(a.sum(dtype='f8')))";
      return execFileSync(PYTHON, ["-c", code, path], { encoding: "utf8" }).trim();
    });
    const sum = (data: ArrayLike<number>): number => Array.from(data).reduce((a, b) => a + b, 0);
    expect(facts[0]).toBe(`|u1 (224, 224, 3) ${sum(cropped!.data).toFixed(1)}`);
    expect(facts[1]).toMatch(/^<f4 \(1, 3, 224, 224\) /);
    expect(Number(facts[1]!.split(" ").at(-1))).toBeCloseTo(sum(normalized!.data), 4);
    expect(facts[2]).toBe("<i4 (7,) 21.0");
  });

  test("are read back with every bit", () => {
    for (const array of Object.values(trace().arrays)) {
      const read = readNpy(fileOf(array), "a.npy");
      expect([read.dtype, read.shape]).toEqual([array.dtype, array.shape]);
      expect(compareArrays(arrayFromBytes(read.dtype, read.shape, read.bytes), array).equal).toBe(true);
    }
  });

  test("are refused when they are cut short, or are something else", () => {
    const cut = readNpy(fileOf(trace().arrays.order!).subarray(0, -1), "a.npy");
    expect(() => arrayFromBytes(cut.dtype, cut.shape, cut.bytes)).toThrow(/has 27 bytes, its shape needs 28/);
    expect(() => readNpy(Buffer.from("hello, world"), "a.npy")).toThrow(/a\.npy is not a \.npy file/);
  });
});
