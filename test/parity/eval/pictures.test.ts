import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { findPictures, Kinds } from "../../../src/parity/eval/pictures.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "parity-pictures-test-"));
  mkdirSync(join(folder, "b", "deep"), { recursive: true });
  mkdirSync(join(folder, "empty"));
  for (const name of ["z.JPG", "a.png", "notes.txt", "b/deep/c.webp", "b/d.tiff"]) {
    writeFileSync(join(folder, name), "");
  }
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("pictures", () => {
  test("that are not there are refused, by name", async () => {
    const missing = join(folder, "none.jpg");
    await expect(findPictures([missing])).rejects.toMatchObject({
      code: "INPUT_NOT_FOUND",
      message: expect.stringContaining("none.jpg"),
    });
  });

  test("are missed where a folder has none", async () => {
    await expect(findPictures([join(folder, "empty")])).rejects.toMatchObject({ code: "INPUT_NOT_FOUND" });
  });

  test("are found in all folders below, sorted, each once", async () => {
    const found = await findPictures([folder, join(folder, "a.png")]);
    const expected = ["a.png", "b/d.tiff", "b/deep/c.webp", "z.JPG"];
    expect(found).toEqual(expected.map((name) => join(folder, name)));
  });

  test("that are named are taken whatever they are called", async () => {
    const named = join(folder, "notes.txt");
    expect(await findPictures([named])).toEqual([named]);
  });
});

describe("the kind of a picture", () => {
  test("is the reason where the header cannot be read", async () => {
    expect(await new Kinds().of(join(folder, "z.JPG"), Buffer.from("plain text"))).toBe(
      "refused: UNSUPPORTED_FORMAT",
    );
  });

  test("is what corpus.json beside it says", async () => {
    writeFileSync(join(folder, "b", "corpus.json"), JSON.stringify([{ file: "d.tiff", kind: "tiff cmyk" }]));
    expect(await new Kinds().of(join(folder, "b", "d.tiff"), Buffer.from(""))).toBe("tiff cmyk");
  });
});
