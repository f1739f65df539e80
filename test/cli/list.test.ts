import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { listed } from "../../src/cli/list.ts";
import { codeOf } from "../failure.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "list-test-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

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
