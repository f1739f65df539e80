import { execFileSync } from "node:child_process";
import {
  appendFileSync,
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { nameOf } from "../../../src/base/text/names.ts";
import { listed } from "../../../src/cli/lists/list.ts";
import type { ListOptions } from "../../../src/cli/lists/list.ts";
import { codeOf, failureOf } from "../../failure.ts";
import { encoded, utf16 } from "../../texts.ts";

let folder: string;
const home = process.cwd();
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "list-test-"));
  process.chdir(folder);
  mkdirSync("L");
  for (const name of [
    "a.jpg",
    "b c.jpg",
    "猫.jpg",
    "è.jpg",
    "犬金鱼.jpg",
    "雞.jpg",
    "#1.jpg",
    " d.jpg ",
    "e,f.jpg",
    '"g".jpg',
  ])
    writeFileSync(join("L", name), "");
});
afterAll(() => {
  process.chdir(home);
  rmSync(folder, { recursive: true, force: true });
});

let said: string[] = [];
beforeEach(() => {
  said = [];
});

function inFile(content: string | Uint8Array): string {
  writeFileSync("list", content);
  return "list";
}

/** The names, or name and code where there is an error. */
async function names(content: string | Uint8Array, options: ListOptions = {}): Promise<string[]> {
  const found: string[] = [];
  for await (const entry of listed(inFile(content), { say: (sentence) => said.push(sentence), ...options }))
    found.push("error" in entry ? `${entry.name}: ${entry.error.code}` : entry.name);
  return found;
}

/** The hint of the one entry that is not there. */
async function hintOf(content: string | Uint8Array): Promise<string> {
  for await (const entry of listed(inFile(content), { say: (sentence) => said.push(sentence) }))
    if ("error" in entry) return `${entry.error.code}: ${entry.error.hint}`;
  throw new Error("Every entry is there.");
}

describe("a list of lines", () => {
  test("has a path or URL per line; empty lines and line ends of Windows are nothing", async () => {
    const data = "data:image/png;base64,AA==";
    expect(await names(`L/a.jpg\r\n\n \nnone.jpg\nhttps://x/y,z.jpg\n${data}`)).toEqual([
      "L/a.jpg",
      "none.jpg",
      "https://x/y,z.jpg",
      data,
    ]);
    expect(said).toEqual([]);
  });

  test.each([["nothing"], ["empty lines"]])("that has %s names no picture, and says so", async (what) => {
    const failure = await failureOf(names(what === "nothing" ? "" : "\n \n"));
    expect(failure).toMatchObject({ code: "INPUT_NOT_FOUND", message: 'The list "list" names no picture.' });
  });

  test("names what is there as it is written", async () => {
    const written = ["L/b c.jpg", "L/#1.jpg", "L/ d.jpg ", "L/e,f.jpg", 'L/"g".jpg', "L/猫.jpg", "L/è.jpg"];
    expect(await names(written.join("\n"))).toEqual(written);
    process.chdir("L");
    expect(await names("#1.jpg\n d.jpg \n")).toEqual(["#1.jpg", " d.jpg "]);
    process.chdir("..");
    expect(said).toEqual([]);
  });

  test("may have quotes and blanks around its names, where nothing is there as it is written", async () => {
    expect(await names('L/a.jpg  \n"L/b c.jpg"\r\n \'L/猫.jpg\'\t\n "https://x/y.jpg" ')).toEqual([
      "L/a.jpg",
      "L/b c.jpg",
      "L/猫.jpg",
      "https://x/y.jpg",
    ]);
    expect(said).toEqual([]);
  });

  test("may have comments, which it says", async () => {
    expect(await names("# of June\nL/a.jpg\n#L/b c.jpg\n")).toEqual(["L/a.jpg"]);
    expect(said).toEqual([expect.stringMatching(/passed over as comments \(first in line 1\)/) as string]);
  });

  test.each([
    ["a header", "path,label\nL/a.jpg,cat\nL/none.jpg,dog\n"],
    ["a header, the path not first", 'id;File Name\r\n1;L/a.jpg\r\n2;"L/none.jpg"\r\n'],
    ["no header", "L/a.jpg\tcat\nL/none.jpg\tdog\n"],
    ["one column", "filename\nL/a.jpg\nL/none.jpg\n"],
  ])("may be a table with %s, which it says", async (_, content) => {
    const [first, second] = await names(content);
    expect(first).toBe("L/a.jpg");
    expect(second).toMatch(/^L\/none\.jpg/);
    expect(said).toEqual([expect.stringMatching(/is a table, whose column .* is read as paths/) as string]);
  });

  test("that is longer than a chunk loses nothing", async () => {
    const many = Array.from({ length: 20_000 }, (_, at) => `pictures/a${at}.jpg`);
    expect(await names(many.join("\n"))).toEqual(many);
    expect(await names(utf16(`\uFEFF${many.join("\r\n")}`, "be"))).toEqual(many);
  });
});

describe("the encoding of a list is", () => {
  const lines = "L/a.jpg\r\nL/猫.jpg\r\nL/犬金鱼.jpg\r\n";
  const there = ["L/a.jpg", "L/猫.jpg", "L/犬金鱼.jpg"];

  test.each([
    ["UTF-8", Buffer.from(`\uFEFF${lines}`)],
    ["UTF-16LE", utf16(`\uFEFF${lines}`, "le")],
    ["UTF-16BE", utf16(`\uFEFF${lines}`, "be")],
  ])("%s by its byte order mark", async (_, content) => {
    expect(await names(content)).toEqual(there);
    expect(said).toEqual([]);
  });

  test("the one in which the names are there, and it is said which", async () => {
    rmSync("L/è.jpg"); // the bytes of 猫 in GBK are those of è in UTF-8
    expect(await names(encoded(lines, "gb18030"))).toEqual(there);
    expect(said).toEqual([expect.stringMatching(/is read as GBK .*line 2/) as string]);
    said = [];
    expect(await names(encoded("L/雞.jpg", "big5"))).toEqual(["L/雞.jpg"]);
    expect(said).toEqual([expect.stringMatching(/is read as Big5/) as string]);
  });

  test("either, where only other cells than the path are Chinese", async () => {
    expect(await names(encoded("path,标签\nL/a.jpg,金鱼\nL/a.jpg,狗\n", "gb18030"))).toEqual([
      "L/a.jpg",
      "L/a.jpg",
    ]);
  });

  test("also that of comments and of the names of columns", async () => {
    expect(await names(encoded("# 图片\n路径,标签\nL/犬金鱼.jpg,鱼\n", "gb18030"))).toEqual(["L/犬金鱼.jpg"]);
    expect(said).toHaveLength(3);
    expect(await names(Buffer.from("# f\u00fcr\nL/a.jpg\n", "latin1"))).toEqual(["L/a.jpg"]);
  });

  test.skipIf(process.platform !== "linux")("none, where a name on the disk is none", async () => {
    const name = Buffer.concat([Buffer.from("L/"), encoded("金.jpg", "gb18030")]);
    writeFileSync(name, "");
    expect(await names(Buffer.concat([name, Buffer.from("\r\n")]))).toEqual([nameOf(name)]);
    expect(said).toEqual([]);
    rmSync(name);
  });

  test("where nothing is there, the likely one, with a hint at it", async () => {
    rmSync("L/猫.jpg");
    expect(await hintOf(encoded("L/a.jpg\nL/猫.jpg", "gb18030"))).toMatch(
      /INPUT_NOT_FOUND: Line 2 of the list "list" can be read as UTF-8, and also L\/猫\.jpg as GBK/,
    );
    expect(await hintOf(encoded("图片/大白金鱼.jpg", "gb18030"))).toMatch(
      /INPUT_NOT_FOUND: Line 1 .* is not UTF-8 and was read as GBK/,
    );
  });

  test.each([
    [
      "Latin-1",
      Buffer.from("L/a.jpg\nL/K\u00e4fer.jpg", "latin1"),
      /list "list" is not UTF-8 \(line 2, byte offset 11\)/,
    ],
    ["UTF-16 without its mark", utf16("L/a.jpg\n", "le"), /looks like UTF-16LE, without the byte order mark/],
    [
      "UTF-16 that breaks off",
      Buffer.concat([utf16("\uFEFFL/a.jpg", "le"), Uint8Array.of(0)]),
      /not all of it is UTF-16LE/,
    ],
    ["UTF-32", Buffer.from([0xff, 0xfe, 0, 0, 0x61, 0, 0, 0]), /is UTF-32/],
    [
      "another than its mark says",
      Buffer.from("\u00ef\u00bb\u00bfL/a.jpg\n\u00e4\n", "latin1"),
      /line 2 is not UTF-8/,
    ],
    ["none, where NUL parts it", "L/a.jpg\0L/b c.jpg\0", /NUL characters in line 1/],
  ])("refused: %s", async (_, content, why) => {
    const error = await failureOf(names(content));
    expect(error.code).toBe("BAD_LIST");
    expect(error.message).toMatch(why);
  });
});

test("what is not there says what it may come from", async () => {
  expect(await hintOf('"L/none.jpg"')).toMatch(/without its quotes and blanks it is not there either/);
  expect(await hintOf("L/none.jpg,cat")).toMatch(/row of a table/);
  writeFileSync("L/list", "雞.jpg");
  for await (const entry of listed("L/list"))
    expect(entry).toMatchObject({
      error: { code: "INPUT_NOT_FOUND", hint: expect.stringMatching(/cd L$/) as string },
    });
});

test("a line that is far too long for a name is told in short", async () => {
  const [entry = ""] = await names(`"${"a,".repeat(1_000_000)}`);
  expect(entry).toMatch(/INPUT_NOT_FOUND$/);
  expect((await hintOf(`"${"a,".repeat(1_000_000)}`)).length).toBeLessThan(1_000);
});

test("a list with NUL between its entries has them to the byte", async () => {
  const entries = ["a\nb.jpg", '"c".jpg ', "# d", "\uFEFFe.jpg"];
  expect(await names(entries.map((entry) => `${entry}\0`).join(""), { isNul: true })).toEqual(entries);
  expect(await names(Buffer.from([0xb9, 0]), { isNul: true })).toEqual(["\udcb9"]);
});

test("a list that cannot be read is a typed error", async () => {
  const read = async (file: string): Promise<void> => {
    for await (const _ of listed(file));
  };
  expect(await codeOf(read("missing"))).toBe("INPUT_NOT_FOUND");
  expect(await codeOf(read(folder))).toBe("INPUT_UNREADABLE");
});

test("a list without line ends is given up, not kept in memory", async () => {
  const file = openSync("long", "w");
  for (let megabytes = 0; megabytes < 33; megabytes++) writeSync(file, Buffer.alloc(1024 * 1024, "a"));
  closeSync(file);
  appendFileSync("long", "\n");
  const read = async (): Promise<void> => {
    for await (const _ of listed("long"));
  };
  expect(await codeOf(read())).toBe("BAD_LIST");
});

test("a list on stdin gives its entries as they come, and is ended by the signal", async () => {
  const stdin = new PassThrough();
  vi.spyOn(process, "stdin", "get").mockReturnValue(stdin as unknown as typeof process.stdin);
  const stop = new AbortController();
  const list = listed("-", { signal: stop.signal });
  stdin.write("1\n");
  expect((await list.next()).value).toMatchObject({ name: "1" });
  const next = list.next();
  stop.abort();
  expect(await next).toEqual({ done: true, value: undefined });
  vi.restoreAllMocks();
});

test.skipIf(process.platform === "win32")("a list that is a named pipe is refused", async () => {
  const pipe = join(folder, "pipe");
  execFileSync("mkfifo", [pipe]);
  expect(await codeOf(listed(pipe).next())).toBe("INPUT_UNREADABLE");
});
