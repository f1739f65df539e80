import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Tokenizer } from "../../src/text/tokenizer.ts";
import { FOLDER } from "./golden.ts";

const VOCABULARY = fileURLToPath(new URL("../../models/vocab.bpe", import.meta.url));
const HUGGINGFACE = fileURLToPath(new URL("huggingface/", FOLDER));
const FILE = JSON.parse(readFileSync(join(HUGGINGFACE, "tokenizer.json"), "utf8")) as Record<string, object>;

let scratch: string;
beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), "tokenizer-test-"));
});
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

/** The ids of the 256 bytes, and of what else is named. */
function idsOf(...names: string[]): Record<string, number> {
  const bytes = Object.keys(
    (Tokenizer.from({ merges: [] }).toJSON() as { model: { vocab: object } }).model.vocab,
  );
  return Object.fromEntries([...bytes, ...names].map((name, id) => [name, id]));
}

describe("a vocabulary that does not fit together is refused", () => {
  const changed = (place: string, value: unknown): unknown => {
    const file = structuredClone(FILE) as Record<string, Record<string, unknown>>;
    const [first = "", second] = place.split(".");
    if (second === undefined) return { ...file, [first]: value };
    return { ...file, [first]: { ...file[first], [second]: value } };
  };
  test.each([
    ["out of order", "ab c\na b\n", 'needs the token "ab", which merge 2 makes: they are out of order'],
    ["its own part", "a b\nabc c\n", 'needs the token "abc", which no merge makes'],
    ["twice", "a b\na b\n", 'The merge of "a b" is there twice'],
    ["a letter of no byte", "a b\n文 a\n", "not written in GPT-2's letters"],
    ["one token on a line", "#version: 0.2\na b\nab\n", 'Line 3 of the merges is "ab"'],
    ["three tokens on a line", "a b c\n", "Line 1"],
    ["an empty line", "a b\n\nb c\n", 'Line 2 of the merges is ""'],
    ["HTML", "<!doctype html>\n<p>Not found</p>", 'Merge 1, "<!doctype html>"'],
    ["nothing", undefined, "The vocabulary is"],
    ["a number", 5, "The vocabulary is 5"],
    ["no merges", { vocab: {} }, "The vocabulary is"],
    ["merges that are none", { merges: [["a"]] }, "The vocabulary is"],
    ["ids that are none", { merges: [], vocab: { a: "1" } }, "Its ids are"],
    ["a special token twice", { merges: [], specialTokens: ["<a>", "<a>"] }, '"<a>" is there twice'],
    ["a special token that a merge makes", { merges: "a b\n", specialTokens: ["ab"] }, '"ab" is there twice'],
    ["an empty special token", { merges: [], specialTokens: [""] }, "is no text"],
    ["half a character as a special token", { merges: [], specialTokens: ["<\ud800>"] }, "is no text"],
    ["special tokens that are none", { merges: [], specialTokens: [5] }, "Its special tokens are [5]"],
    ["an id that is missing", { merges: "a b\n", vocab: idsOf() }, 'The ids have no token "ab"'],
    ["a byte that is missing", { merges: [], vocab: { a: 0 } }, "The ids have no token"],
    [
      "a token that no merge makes",
      { merges: [], vocab: idsOf("ab") },
      'The token "ab" has an id, and no merge makes it',
    ],
    ["an id twice", { merges: "a b\n", vocab: { ...idsOf(), ab: 0 } }, "The id 0 has two tokens"],
    [
      "an id that is too large",
      { merges: "a b\n", vocab: { ...idsOf(), ab: 900 } },
      "has the id 900, of 257 tokens",
    ],
    [
      "an id that is no number of a token",
      { merges: "a b\n", vocab: { ...idsOf(), ab: 1.5 } },
      "has the id 1.5",
    ],
    ["another model", changed("model.type", "Unigram"), "model.type"],
    ["no ids", changed("model.vocab", null), "no BPE model"],
    ["a normalizer", changed("normalizer", { type: "NFC" }), "normalizer"],
    ["another split", changed("pre_tokenizer", { type: "Whitespace" }), "pre_tokenizer.type"],
    ["no split", changed("pre_tokenizer", null), "pre_tokenizer"],
    ["a blank put before", changed("pre_tokenizer.add_prefix_space", true), "pre_tokenizer.add_prefix_space"],
    ["tokens put around", changed("post_processor", { type: "TemplateProcessing" }), "post_processor"],
    ["truncation", changed("truncation", { max_length: 5 }), "truncation"],
    ["bytes as a last resort", changed("model.byte_fallback", true), "model.byte_fallback"],
    ["merges passed over", changed("model.ignore_merges", true), "model.ignore_merges"],
    [
      "an added word",
      changed("added_tokens", [{ id: 0, content: "<a>", special: false }]),
      "added_tokens.special",
    ],
    [
      "an added token that takes blanks",
      changed("added_tokens", [{ id: 0, content: "<a>", lstrip: true }]),
      "lstrip",
    ],
    ["an added token without a text", changed("added_tokens", [{ id: 0 }]), "added_tokens"],
    ["merges that are numbers", changed("model.merges", [5]), "model.merges"],
  ])("%s", (_, vocabulary, sentence) => {
    expect(() => Tokenizer.from(vocabulary as string)).toThrow(
      expect.objectContaining({ code: "BAD_VOCABULARY", message: expect.stringContaining(sentence) }),
    );
  });
});

describe("files", () => {
  test("what is not there, and what is none", async () => {
    await expect(Tokenizer.load(join(scratch, "nowhere"))).rejects.toMatchObject({ code: "INPUT_NOT_FOUND" });
    await expect(Tokenizer.load(join(scratch, "merges.txt"))).rejects.toMatchObject({
      code: "INPUT_NOT_FOUND",
    });
    await expect(Tokenizer.load(scratch)).rejects.toMatchObject({ code: "INPUT_NOT_FOUND" });
    const file = join(scratch, "tokenizer.json");
    for (const text of ["{", "[]", "5"]) {
      writeFileSync(file, text);
      await expect(Tokenizer.load(file)).rejects.toMatchObject({ code: "BAD_VOCABULARY" });
    }
    rmSync(file);
    mkdirSync(file);
    await expect(Tokenizer.load(file)).rejects.toMatchObject({ code: "INPUT_UNREADABLE" });
    rmSync(file, { recursive: true });
    writeFileSync(join(scratch, "plain"), "");
    await expect(Tokenizer.gpt2().save(join(scratch, "plain"))).rejects.toMatchObject({
      code: "OUTPUT_FAILED",
    });
  });

  test("HuggingFace's own, in both of its ways", async () => {
    const { text, ids } = JSON.parse(readFileSync(join(HUGGINGFACE, "answer.json"), "utf8")) as {
      text: string;
      ids: number[];
    };
    const pair = join(scratch, "pair");
    mkdirSync(pair);
    for (const name of ["vocab.json", "merges.txt"]) copyFileSync(join(HUGGINGFACE, name), join(pair, name));
    for (const place of [HUGGINGFACE, join(HUGGINGFACE, "tokenizer.json"), pair, join(pair, "merges.txt")]) {
      const tokenizer = await Tokenizer.load(place);
      expect(tokenizer.encode(text, { allowedSpecial: "all" }), place).toEqual(ids);
      expect(tokenizer.specialTokens).toEqual({ "<|endoftext|>": 0 });
    }
    const { model, ...others } = FILE;
    const older = { ...others, model: { ...model, merges: mergesOf(await Tokenizer.load(pair)) } };
    expect(Tokenizer.from(older).encode(text, { allowedSpecial: "all" })).toEqual(ids);
  });

  test("what is saved comes back, and is what HuggingFace writes of it", async () => {
    const theirs = await Tokenizer.load(HUGGINGFACE);
    const out = join(scratch, "made/of/folders");
    await theirs.save(out);
    expect(readdirSync(out).toSorted()).toEqual(["merges.txt", "tokenizer.json", "vocab.json"]);
    for (const name of ["merges.txt", "vocab.json"])
      expect(readFileSync(join(out, name), "utf8").trimEnd(), name).toBe(
        readFileSync(join(HUGGINGFACE, name), "utf8").trimEnd(),
      );
    expect((await Tokenizer.load(out)).toJSON()).toEqual(theirs.toJSON());
    await theirs.save(out);
    expect(readdirSync(out)).toHaveLength(3);
    expect(JSON.parse(JSON.stringify(theirs))).toEqual(
      JSON.parse(readFileSync(join(out, "tokenizer.json"), "utf8")),
    );
  });

  test("OpenAI's merges: also with the ends of lines that Windows has, and without the first line", () => {
    const merges = readFileSync(VOCABULARY, "utf8");
    const specialTokens = ["<|endoftext|>"];
    const whole = Tokenizer.from({ merges, specialTokens });
    expect(whole.vocabSize).toBe(50_257);
    expect(whole.encode("The dog")).toEqual([464, 3290]);
    const other = merges.replace(/^#version.*\n/, "").replaceAll("\n", "\r\n");
    expect(Tokenizer.from({ merges: other, specialTokens }).merges).toEqual(whole.merges);
  });
});

function mergesOf(tokenizer: Tokenizer): string[] {
  return (tokenizer.toJSON() as { model: { merges: string[] } }).model.merges;
}
