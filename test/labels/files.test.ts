import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { chooseLabels, readLabelFile } from "../../src/classification/labels/labels.ts";
import { failureOf as failure } from "../failure.ts";
import { encoded, utf16 } from "../texts.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "labels-test-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function inFile(content: string | Uint8Array): string {
  const file = join(folder, "labels");
  writeFileSync(file, content);
  return file;
}

/** The labels, and what was said of them. */
async function read(content: string | Uint8Array): Promise<{ labels: readonly string[]; said: string[] }> {
  const said: string[] = [];
  const { labels } = await readLabelFile(inFile(content), (sentence) => said.push(sentence));
  return { labels, said };
}

async function refused(content: string | Uint8Array): Promise<string> {
  const error = await failure(readLabelFile(inFile(content)));
  expect(error).toMatchObject({ code: "BAD_LABELS" });
  return error.message;
}

const NAMES = ["tench, Tinca tinca", "goldfish", 'it\'s a "crane"'];
const ANIMALS = ["丁鲷", "金鱼", "大白鲨", "虎鲨", "公鸡", "母鸡", "鸵鸟", "燕雀"];
const TRADITIONAL = ["丁鯛", "金魚", "大白鯊", "虎鯊", "公雞", "母雞", "鴕鳥", "燕雀"];
/** Names that running text hardly has. */
const ZOO = ["狗", "猫", "羊", "猪", "鸭", "鹅", "熊", "狼", "狐狸", "兔子", "猴子", "蜘蛛", "蝴蝶"];
const TRADITIONAL_ZOO = [
  "狗",
  "貓",
  "羊",
  "豬",
  "鴨",
  "鵝",
  "熊",
  "狼",
  "狐狸",
  "兔子",
  "猴子",
  "蜘蛛",
  "蝴蝶",
];

describe("lines are labels as the tutorial reads them", () => {
  test.each([
    ["", ["a", "b c", "d, e"], "a\n b c\t\r\nd, e\n"],
    ["with blanks of Python's, and none of JavaScript's alone", ["a", "\uFEFFb"], "\x1c a\x85\n\uFEFFb"],
    ["with an index before each", ["0 a", "1 b"], "0 a\n1 b\n"],
    ["with brackets that begin no list", ["[background]", "(none)"], "[background]\n(none)\n"],
    ["that look like rows of something else", ["1, 2", "a, b"], "1, 2\na, b\n"],
  ])("%s", async (_, labels, content) => {
    expect((await read(content)).labels).toEqual(labels);
  });

  test("what is probably not meant is told and kept", async () => {
    expect((await read("a\n\nb\n")).said.join()).toMatch(/blank line 2: class 1 has an empty label/);
    expect((await read("a\nb\na\n")).said.join()).toMatch(/3 labels and only 2 different ones; "a"/);
    expect((await read("0 a\n1 b\n")).said.join()).toMatch(/its index before each label/);
    expect((await read("2：a\n1：b\n")).said.join()).toMatch(/its index before each label/);
    expect((await read("1. a\n2. b\n")).said.join()).toMatch(/its index before each label/);
    expect((await read("3 a\n9 b\n")).said).toEqual([]);
    expect((await read("n01440764 a\nn01443537 b")).said.join()).toMatch(/its WordNet id before each label/);
    expect((await read("a,\nb,\n")).said.join()).toMatch(/"," after each label/);
    expect((await read("a\nb\uFFFD\n")).said.join()).toMatch(/U\+FFFD in the label of class 1/);
    expect((await read("a\nb\nc\n")).said).toEqual([]);
  });
});

describe("an encoding", () => {
  test.each([
    ["UTF-8 with a byte order mark", Buffer.from(`\uFEFF${ANIMALS.join("\r\n")}`)],
    ["UTF-16LE with its mark", utf16(`\uFEFF${ANIMALS.join("\r\n")}`, "le")],
    ["UTF-16BE with its mark", utf16(`\uFEFF${ANIMALS.join("\n")}\n`, "be")],
    [
      "GB18030 with its mark",
      Buffer.concat([Uint8Array.of(0x84, 0x31, 0x95, 0x33), encoded(ANIMALS.join("\n"), "gb18030")]),
    ],
  ])("%s is read, and nothing is to be said", async (_, content) => {
    expect(await read(content)).toEqual({ labels: ANIMALS, said: [] });
  });

  test.each([
    ["GBK", ANIMALS, encoded(ANIMALS.join("\r\n"), "gb18030")],
    ["Big5", TRADITIONAL, encoded(TRADITIONAL.join("\n"), "big5")],
    ["GBK", ZOO, encoded(ZOO.join("\n"), "gb18030")],
    ["Big5", TRADITIONAL_ZOO, encoded(TRADITIONAL_ZOO.join("\n"), "big5")],
    ["GBK", ANIMALS, encoded(JSON.stringify(ANIMALS), "gb18030")],
    ["Big5", TRADITIONAL, encoded(TRADITIONAL.map((name, at) => `${at};${name}`).join("\r\n"), "big5")],
  ])("%s is read, and it is said", async (name, labels, content) => {
    const found = await read(content);
    expect(found.labels).toEqual(labels);
    expect(found.said).toEqual([
      expect.stringMatching(new RegExp(`not UTF-8 and is read as ${name}`)) as string,
    ]);
  });

  test.each([
    [
      "GBK or Big5, where either is as likely",
      encoded("安\n北\n", "gb18030"),
      /can be "安" as GBK .* and "假" as Big5: which, is not certain/,
    ],
    ["Chinese that is unlikely in either", encoded("鲀", "gb18030"), /would be no likely Chinese/],
    [
      "Latin-1",
      Buffer.from("tench\nK\u00e4fer\nB\u00e4r\n", "latin1"),
      /not UTF-8 \(line 2, byte offset 7\)/,
    ],
    [
      "Korean",
      encoded("금붕어\n백상아리\n호랑이\n수탉\n암탉\n타조\n독수리\n참새", "euc-kr"),
      /not UTF-8 \(line 1, byte offset 0\)/,
    ],
    [
      "Japanese",
      encoded("金魚\nホホジロザメ\nイタチザメ\nおんどり\nめんどり\nダチョウ", "euc-jp"),
      /not UTF-8 \(line 1, byte offset 0\)/,
    ],
    [
      "Japanese without kana",
      encoded("自転車\n飛行機\n駅\n学校", "euc-jp"),
      /looks like Japanese \(EUC-JP\)/,
    ],
    [
      "UTF-16LE without a mark",
      utf16("tench\ngoldfish\n", "le"),
      /looks like UTF-16LE, without the byte order mark/,
    ],
    [
      "UTF-16BE without a mark",
      utf16("tench\ngoldfish\n", "be"),
      /looks like UTF-16BE, without the byte order mark/,
    ],
    [
      "UTF-16 that breaks off",
      Buffer.concat([utf16("\uFEFFtench", "le"), Uint8Array.of(0)]),
      /not all of it is UTF-16LE/,
    ],
    ["UTF-32LE", Buffer.from([0xff, 0xfe, 0, 0, 0x61, 0, 0, 0]), /is UTF-32, which is not read/],
    ["UTF-32BE", Buffer.from([0, 0, 0xfe, 0xff, 0, 0, 0, 0x61]), /is UTF-32, which is not read/],
    [
      "UTF-8 with a mark that breaks off",
      Buffer.from([0xef, 0xbb, 0xbf, 0xe4, 0xb8]),
      /not all of it is UTF-8/,
    ],
    ["no text", Buffer.from("PK\x03\x04\0\0tench"), /byte 4 is NUL/],
  ])("%s is refused with the reason", async (_, content, why) => {
    expect(await refused(content)).toMatch(why);
  });
});

describe("a format is read", () => {
  const pythons = `{0: 'tench, Tinca tinca',\n 1: "goldfish",\n 2: 'it\\'s a "crane"'}`;
  test.each([
    ["a JSON list", JSON.stringify(NAMES)],
    ["a JSON list, an entry per line", JSON.stringify(NAMES, undefined, 1)],
    ["a JSON list with a byte order mark", `\uFEFF${JSON.stringify(NAMES)}`],
    ["a JSON object by index", JSON.stringify(Object.fromEntries(NAMES.map((name, at) => [at, name])))],
    [
      "class_index.json",
      JSON.stringify(Object.fromEntries(NAMES.map((name, at) => [at, [`n0144076${at}`, name]]))),
    ],
    ["pairs of WordNet ids and labels", JSON.stringify(NAMES.map((name, at) => [`n0144076${at}`, name]))],
    ["class_to_idx", JSON.stringify(Object.fromEntries(NAMES.map((name, at) => [name, at])))],
    ["objects", JSON.stringify(NAMES.map((label, index) => ({ index, wnid: "n01440764", label })))],
    [
      "objects by index",
      JSON.stringify(Object.fromEntries(NAMES.map((label, at) => [at, { id: "02119789-n", label }]))),
    ],
    [
      "an object per line",
      NAMES.map((name, id) => JSON.stringify({ id, name }))
        .toReversed()
        .join("\n"),
    ],
    [
      "a config.json of transformers",
      JSON.stringify({
        model_type: "resnet",
        id2label: Object.fromEntries(NAMES.entries()),
        label2id: { a: 0 },
      }),
    ],
    ["a Python dictionary, an entry per line", pythons],
    ["a Python dictionary that is assigned", `# labels\nlabels = ${pythons}\n`.slice(9)],
    [
      "a Python dictionary with escapes",
      `{0: u'tench, \\x54inca tinca', 1: 'gold\\u0066ish', 2: "it's a \\"crane\\"",}`,
    ],
    ["a program's table", `// ImageNet\n/* ** */\nexport const LABELS = ${pythons};\n`],
    ["a Python list", `['tench, Tinca tinca', 'goldfish', 'it\\'s a "crane"']`],
    ["the lines of a dictionary", pythons.slice(1, -1)],
    ["YAML's pairs", `0: tench, Tinca tinca\n1: goldfish\n2: it's a "crane"\n`],
    ["lines in quotes", NAMES.map((name) => `${JSON.stringify(name)},`).join("\n")],
    ["CSV with a header", `index,label\n0,tench, Tinca tinca\n1,goldfish\n2,"it's a ""crane"""\n`],
    [
      "CSV with other columns",
      `Class ID,WNID,Class Name\r\n2,n3,"it's a ""crane"""\r\n0,n1,"tench, Tinca tinca"\r\n1,n2,goldfish\r\n`,
    ],
    [
      "CSV with a header and no index",
      `label,color\n"tench, Tinca tinca",red\ngoldfish,gold\n"it's a ""crane""",grey`,
    ],
    ["CSV with a name of its own", `id,english\n0,"tench, Tinca tinca"\n1,goldfish\n2,"it's a ""crane"""`],
    [
      "CSV with names in Chinese",
      `类别编号,类别名称\n1,goldfish\n0,"tench, Tinca tinca"\n2,"it's a ""crane"""\n`,
    ],
    [
      "CSV with the indices of pandas",
      `label\tid\nit's a "crane"\t2.0\ntench, Tinca tinca\t0.0\ngoldfish\t1.0\n`,
    ],
    ["CSV with every cell in quotes", `"1","goldfish"\n"0","tench, Tinca tinca"\n"2","it's a ""crane"""\n`],
    ["CSV without a header", `0,"tench, Tinca tinca"\n1,goldfish\n2,it's a "crane"\n`],
    ["CSV with the index behind", `"tench, Tinca tinca",0\ngoldfish,1\nit's a "crane",2\n`],
    [
      "CSV with WordNet ids",
      `0,n01440764,"tench, Tinca tinca"\n1,n01440765,goldfish\n2,n01440766,it's a "crane"\n`,
    ],
    ["CSV with semicolons", `class;name\n0;tench, Tinca tinca\n1;goldfish\n2;it's a "crane"\n`],
    ["TSV", `0\ttench, Tinca tinca\n1\tgoldfish\n2\tit's a "crane"\n`],
    ["TSV with a header", `index\tlabel\n0\ttench, Tinca tinca\n1\tgoldfish\n2\tit's a "crane"\n`],
  ])("%s", async (_, content) => {
    expect((await read(content)).labels).toEqual(NAMES);
    expect((await read(utf16(`\uFEFF${content.replace("\uFEFF", "")}`, "be"))).labels).toEqual(NAMES);
  });
});

test("the long escapes of Python are other ones than its short ones", async () => {
  const { labels } = await read(`{0: "\\U0001F436", 1: "\\u72d7", 2: "\\x41\\U00000042"}`);
  expect(labels).toEqual(["🐶", "狗", "AB"]);
});

describe("a format is refused by name", () => {
  test.each([
    ["nothing", " \n", /is empty/],
    ["a web page", "<!DOCTYPE html>\n<html>", /web page/],
    ["RTF", "{\\rtf1 tench}", /is RTF/],
    ["YAML's list", "- tench\n- goldfish\n", /looks like .*YAML/],
    ["YAML", "names:\n  - tench\n  - goldfish\n", /looks like YAML/],
    ["YAML with indices", "names:\n  0: tench\n  1: goldfish\n", /looks like YAML/],
    ["a label map", 'item {\n  id: 1\n  name: "tench"\n}\n', /label map/],
    ["a pointer of LFS", "version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 3\n", /Git LFS/],
    ["JSON that breaks off", '["tench",\n"gold', /looks like JSON.*line 2, column 2/],
    ["JSON without a comma", '["tench"\n"goldfish"]', /line 2, column 1 has .*expected "," or "\]"/],
    ["a dictionary with a gap", "{0: 'a', 2: 'b'}", /no index 1, though it goes to 2/],
    ["a dictionary with an index twice", "{0: 'a', 1: 'b', 1: 'c'}", /index 1 twice: "b" and "c"/],
    ["a dictionary from 1", "{1: 'a', 2: 'b'}", /go from 1 to 2/],
    ["class_to_idx with an index twice", '{"a": 0, "b": 0}', /index 0 twice/],
    ["numbers on both sides", '{"0": 1, "1": 0}', /whole numbers on both sides/],
    [
      "no indices",
      '{"n01440764": "tench", "n01443537": "goldfish"}',
      /neither its keys nor its values are indices/,
    ],
    ["several names for each", '{"0": ["tench", "Tinca tinca"]}', /value of "0" is no label/],
    ["numbers for labels", "[1, 2]", /entry 0 of its list is not a string/],
    ["a label of two lines", '["a\\nb", "c"]', /more than one line/],
    [
      "a table with two columns of labels",
      "index,label,label_name\n0,a,b\n1,c,d",
      /more than one of its columns/,
    ],
    ["a table with a gap", "index,label\n0,a\n2,b", /no index 1/],
    ["a table from 1", "1,a\n2,b\n3,c\n", /go from 1 to 3/],
    [
      "a row that is too long",
      "label,index\ntench, Tinca tinca,0\ngoldfish,1",
      /row 1, .* has 3 cells under 2 names/,
    ],
    ["a table without one of its indices", "index,label\n2,a\n,b\n0,c", /column "index" has "" in row 2/],
    ["a table in Markdown", "| index | label |\n|---|---|\n| 0 | a |\n| 1 | b |", /column "index" has "---"/],
    [
      "objects, one without an index",
      '[{"index": 1, "label": "a"}, {"label": "b"}]',
      /column "index" has ""/,
    ],
    [
      "objects with another index than their key",
      '{"0": {"index": 1, "label": "a"}, "1": {"index": 0, "label": "b"}}',
      /"index" under the key "0" is another one/,
    ],
    ["half a character", '["\\ud83d", "a"]', /half a character in the label of class 0/],
    ["a quote without an end", 'index,label\n0,"tench\n1,goldfish', /quote without an end/],
  ])("%s", async (_, content, why) => {
    expect(await refused(content)).toMatch(why);
  });

  test("what is no file, or too large for one", async () => {
    expect((await failure(readLabelFile(folder))).message).toMatch(/is a folder/);
    expect((await failure(readLabelFile(join(folder, "none")))).message).toMatch(/ENOENT/);
    truncateSync(inFile("a\n"), 17 * 1024 * 1024);
    expect((await failure(readLabelFile(join(folder, "labels")))).message).toMatch(/larger than 16 MiB/);
  });
});

test("labels that are not as many as the classes say what the number comes from", async () => {
  const classes = ["a", "b", "c"];
  const why = async (content: string): Promise<string> => {
    const { labels } = await read(content);
    const error = await failure(Promise.resolve().then(() => chooseLabels(labels, classes)));
    return `${error.message} ${error.hint}`;
  };
  expect(await why("a\nb\nc\n\n\n")).toMatch(/5 labels for 3 classes: the last 2 lines are blank/);
  expect(await why("a\n\nb\nc\n")).toMatch(/1 lines are blank \(2\)/);
  expect(await why("background\na\nb\nc\n")).toMatch(/TensorFlow.*Take the line "background" away/);
  expect(await why("label\na\nb\nc\n")).toMatch(/looks like a header/);
  expect(await why("a,b,c")).toMatch(/all of the file is one line/);
  expect(await why("a\nb\n")).toMatch(/There are 2 labels for 3 classes\. Give one label per line/);
});

test.skipIf(process.platform === "win32")(
  "a named pipe is refused: opening it would wait for a writer",
  async () => {
    const pipe = join(folder, "pipe");
    execFileSync("mkfifo", [pipe]);
    expect(await failure(readLabelFile(pipe))).toMatchObject({
      code: "BAD_LABELS",
      message: expect.stringContaining("named pipe") as string,
    });
  },
);
