import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { PassThrough } from "node:stream";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { listed, picturesOf } from "../../src/cli/inputs.ts";
import type { Named } from "../../src/cli/inputs.ts";
import { codeOf } from "../failure.ts";

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

describe("a list", () => {
  const inFile = (text: string): string => {
    const file = join(folder, "list");
    writeFileSync(file, text);
    return file;
  };
  const names = async (text: string, isNul = false): Promise<string[]> => {
    const found: string[] = [];
    for await (const { name } of listed(inFile(text), isNul)) found.push(name);
    return found;
  };

  test("has a path or URL per line, taken as it stands; empty lines and line ends of Windows are nothing", async () => {
    expect(await names("a.jpg\r\n\n b*.jpg \nhttps://x/y.jpg")).toEqual([
      "a.jpg",
      " b*.jpg ",
      "https://x/y.jpg",
    ]);
    expect(await names("")).toEqual([]);
  });

  test("may have NUL between its entries, which then hold line ends", async () => {
    expect(await names("a\nb.jpg\0c.jpg\0", true)).toEqual(["a\nb.jpg", "c.jpg"]);
    expect(await codeOf(names("a.jpg\0b.jpg\0"))).toBe("INVALID_INPUT");
  });

  test("that is longer than a chunk loses nothing", async () => {
    const many = Array.from({ length: 20_000 }, (_, at) => `pictures/ä${at}.jpg`);
    expect(await names(many.join("\n"))).toEqual(many);
  });

  test("that cannot be read is a typed error", async () => {
    const read = async (file: string): Promise<void> => {
      for await (const _ of listed(file, false));
    };
    expect(await codeOf(read(join(folder, "missing")))).toBe("INPUT_NOT_FOUND");
    expect(await codeOf(read(folder))).toBe("INPUT_UNREADABLE");
  });

  test("on stdin that pauses is ended by the signal", async () => {
    const stdin = new PassThrough();
    vi.spyOn(process, "stdin", "get").mockReturnValue(stdin as unknown as typeof process.stdin);
    const stop = new AbortController();
    const list = listed("-", false, stop.signal);
    stdin.write("first.jpg\n");
    expect((await list.next()).value).toMatchObject({ name: "first.jpg" });
    const next = list.next();
    stop.abort();
    expect(await next).toEqual({ done: true, value: undefined });
    vi.restoreAllMocks();
  });
});
