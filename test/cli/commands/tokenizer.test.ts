import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readNpy } from "../../../src/base/files/npy.ts";
import { run } from "../../../src/cli/commands/tokenizer/tokenizer.ts";
import { encoded } from "../../texts.ts";
import { printed } from "../printed.ts";
import type { Printed } from "../printed.ts";

const tokenizer = (...argv: string[]): Promise<Printed> => printed(run, argv);

let folder: string;
let text: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "tokenizer-command-test-"));
  text = join(folder, "text.txt");
  writeFileSync(text, "aaaa aaa 文文\n");
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("what is refused", () => {
  test.each([
    [[], "INVALID_OPTION", "knows train, encode, decode, not nothing"],
    [["encod"], "INVALID_OPTION", 'not "encod"'],
    [["train"], "INVALID_OPTION", "No text was given"],
    [["train", "/nowhere.txt"], "INPUT_NOT_FOUND", "/nowhere.txt"],
    [["train", "/"], "INPUT_UNREADABLE", "/ cannot be read"],
    [["train", "TEXT", "--vocab", "many"], "INVALID_OPTION", '--vocab is "many"'],
    [["train", "TEXT", "--vocab", "100"], "INVALID_OPTION", '"vocabSize" is 100'],
    [["train", "TEXT", "--rule", "mine"], "INVALID_OPTION", '--rule is "mine"'],
    [["train", "TEXT", "--text"], "INVALID_OPTION", "`tokenizer train` takes no --text"],
    [["train", "TEXT", "--out", "TEXT"], "OUTPUT_FAILED", "The vocabulary cannot be written"],
    [["encode"], "INVALID_OPTION", "One text is needed"],
    [["encode", "The", "dog"], "INVALID_OPTION", "One text is needed"],
    [["encode", "x", "--out", "x.bin"], "INVALID_OPTION", "ends with .npy"],
    [["encode", "x", "--vocab", "/nowhere"], "INPUT_NOT_FOUND", "/nowhere"],
    [["encode", "x", "--vocab", "TEXT"], "BAD_VOCABULARY", "Line 1"],
    [["encode", "x", "--allow-special", "<|end|>"], "INVALID_OPTION", '"allowedSpecial" has "<|end|>"'],
    [["decode"], "INVALID_OPTION", "No id was given"],
    [["decode", "x"], "INVALID_OPTION", 'An id is "x"'],
    [["decode", "99999"], "INVALID_INPUT", "There is no token 99999"],
    [["decode", "1", "--steps", "1"], "INVALID_OPTION", "takes no --steps"],
  ])("%j", async (argv, code, sentence) => {
    const words = argv.map((word) => (word === "TEXT" ? text : word));
    await expect(tokenizer(...words)).rejects.toMatchObject({
      code,
      message: expect.stringContaining(sentence),
    });
  });
});

describe("train", () => {
  test("shows the first merges: the pair, how often it stands there, the new token", async () => {
    const { stdout, code } = await tokenizer("train", text, "--vocab", "260", "--steps", "2");
    expect(code).toBe(0);
    expect(stdout.split("\n").map((line) => line.replaceAll(/ +/g, " "))).toEqual([
      ' 1 "a" + "a" → "aa" 5 times, token 256',
      ' 2 "<E6>" + "<96>" → "<E6><96>" 2 times, token 257',
      " … and 2 more merges",
      "260 tokens",
      "",
    ]);
    const whole = await tokenizer("train", text, "--vocab", "258", "--steps", "0");
    expect(whole.stdout).toBe("   …  and 2 more merges\n258 tokens\n");
  });

  test("as JSON: each merge, then the vocabulary", async () => {
    const { stdout } = await tokenizer("train", text, "--vocab", "258", "--special", "<|end|>", "--json");
    const lines = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as unknown);
    expect(lines).toEqual([
      { step: 1, pair: [65, 65], texts: ["a", "a"], count: 5, id: 257, text: "aa" },
      { vocabSize: 258, merges: 1 },
    ]);
  });

  test("a file of GBK is read as such, and that is said", async () => {
    const file = join(folder, "gbk.txt");
    writeFileSync(
      file,
      encoded("春眠不觉晓，处处闻啼鸟。夜来风雨声，花落知多少。我们的世界是一个大家庭", "gb18030"),
    );
    const { stderr } = await tokenizer("train", file, "--vocab", "256");
    expect(stderr).toContain("is not UTF-8 and is read as GBK");
  });
});

test("a vocabulary is trained, written, and encodes a file to an array of int64", async () => {
  const out = join(folder, "vocabulary");
  const trained = await tokenizer("train", text, "--vocab", "259", "--out", out, "--steps", "0");
  expect(trained.stdout).toContain(`259 tokens, written to ${out}`);
  expect(readdirSync(out).toSorted()).toEqual(["merges.txt", "tokenizer.json", "vocab.json"]);

  const array = join(folder, "text.npy");
  const { stdout, stderr } = await tokenizer("encode", text, "--vocab", out, "--out", array, "--json");
  expect(stderr).toContain("is a file, and its text is read");
  const { dtype, shape, bytes } = readNpy(readFileSync(array), array);
  const ids = Array.from(new BigInt64Array(Uint8Array.from(bytes).buffer), Number);
  expect([dtype, shape]).toEqual(["<i8", [ids.length]]);
  expect(JSON.parse(stdout)).toEqual({ out: array, count: ids.length });
  const back = await tokenizer("decode", ...ids.map(String), "--vocab", out);
  expect(back.stdout).toBe("aaaa aaa 文文\n\n");
});

test("encode and decode by GPT-2's own, for people and as JSON", async () => {
  expect((await tokenizer("encode", "The dog 文")).stdout).toBe(
    '   464  "The"\n  3290  " dog"\n 10545  " <E6>"\n   244  "<96>"\n   229  "<87>"\n',
  );
  expect(JSON.parse((await tokenizer("encode", "The\ndog", "--json")).stdout)).toEqual({
    ids: [464, 198, 9703],
    tokens: ["The", "\n", "dog"],
  });
  expect((await tokenizer("encode", "\u0007\n")).stdout).toBe(
    '   220  "\\u0007"\n   198  "\\n"\n'.replace("220", "195"),
  );
  expect((await tokenizer("decode", "464", "3290")).stdout).toBe("The dog\n");
  expect((await tokenizer("decode", "[464,3290]", "--json")).stdout).toBe(
    '{"ids":[464,3290],"text":"The dog"}\n',
  );
  const special = await tokenizer("encode", "<|endoftext|>", "--allow-special", "all", "--json");
  expect(JSON.parse(special.stdout)).toMatchObject({ ids: [50_256] });
});

test("--text takes the name of a file as a text", async () => {
  const { stdout, stderr } = await tokenizer("encode", text, "--text", "--json");
  expect(stderr).toBe("");
  expect((JSON.parse(stdout) as { tokens: string[] }).tokens.join("")).toBe(text);
});
