import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { picturesOf } from "../../../src/cli/lists/inputs.ts";
import type { Named } from "../../../src/cli/lists/inputs.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "inputs-test-"));
  mkdirSync(join(folder, "a/deep/er"), { recursive: true });
  mkdirSync(join(folder, "empty"));
  const names = [
    "a.jpg",
    "b.PNG",
    "notes.txt",
    "c[1].webp",
    "a/z.jpg",
    "a/deep/y.jpeg",
    "a/deep/er/x.jpg",
    ".hidden.jpg",
  ];
  for (const name of names) writeFileSync(join(folder, name), "");
  symlinkSync(folder, join(folder, "a/circle"));
  symlinkSync(join(folder, "a.jpg"), join(folder, "link.jpg"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Names below the folder, or the code where there is an error. */
async function all(pictures: AsyncIterable<Named>): Promise<string[]> {
  const found: string[] = [];
  for await (const picture of pictures) {
    const name = relative(folder, picture.name).replaceAll("\\", "/");
    found.push("error" in picture ? `${name}: ${picture.error.code}` : name);
  }
  return found;
}

describe("an argument is", () => {
  test("a file, a URL, or stdin", async () => {
    expect(await all(picturesOf(join(folder, "notes.txt")))).toEqual(["notes.txt"]);
    for (const address of ["https://example.com/a*.jpg", "data:image/png;base64,AA=="]) {
      const found = [];
      for await (const picture of picturesOf(address)) found.push(picture);
      expect(found).toEqual([{ name: address, image: address }]);
    }
  });

  test("a folder: its pictures and those of all its folders, by path, each once though a link leads in a circle", async () => {
    expect(await all(picturesOf(folder))).toEqual([
      ".hidden.jpg",
      "a.jpg",
      "a/deep/er/x.jpg",
      "a/deep/y.jpeg",
      "a/z.jpg",
      "b.PNG",
      "c[1].webp",
      "link.jpg",
    ]);
    expect(await all(picturesOf(join(folder, "empty")))).toEqual(["empty: INPUT_NOT_FOUND"]);
  });

  test.each([
    ["*.jpg", ["a.jpg", "link.jpg"]],
    ["*/*.jpg", ["a/z.jpg"]],
    ["**/*.jpg", ["a.jpg", "a/deep/er/x.jpg", "a/z.jpg", "link.jpg"]],
    ["a/**/*.{jpeg,jpg}", ["a/deep/er/x.jpg", "a/deep/y.jpeg", "a/z.jpg"]],
    ["?.jpg", ["a.jpg"]],
    ["[ab].*", ["a.jpg", "b.PNG"]],
    ["*.txt", ["notes.txt"]],
    ["*.gif", ["*.gif: INPUT_NOT_FOUND"]],
    ["nowhere/*.jpg", ["nowhere/*.jpg: INPUT_NOT_FOUND"]],
  ])("a pattern that the shell left as it was: %s", async (pattern, names) => {
    expect(await all(picturesOf(join(folder, pattern)))).toEqual(names);
  });

  test("a file, where there is one whose name looks like a pattern", async () => {
    expect(await all(picturesOf(join(folder, "c[1].webp")))).toEqual(["c[1].webp"]);
  });
});
