import { describe, expect, test } from "vitest";
import { eachPiece } from "../../src/text/split.ts";
import { Tokenizer } from "../../src/text/tokenizer.ts";
import { GOLDEN } from "./golden.ts";

const gpt2 = Tokenizer.gpt2();

describe("what is no text", () => {
  test.each([
    [undefined, "The text is undefined"],
    [5, "The text is 5"],
    [["a"], 'The text is ["a"]'],
    [new Uint8Array(3), "a Uint8Array of 3 bytes"],
    ["a\ud800", "half of a surrogate pair at 1"],
    ["\udc00\ud800", "half of a surrogate pair at 0"],
    ["<|endoftext|>\ud83d", "half of a surrogate pair at 13"],
  ])("is refused: %j", (text, sentence) => {
    const given = text as string;
    const refused = expect.objectContaining({
      code: "INVALID_INPUT",
      message: expect.stringContaining(sentence),
    });
    expect(() => gpt2.encode(given, { allowedSpecial: "all" })).toThrow(refused);
    expect(() => gpt2.pieces(given)).toThrow(refused);
    expect(() => Tokenizer.train([given])).toThrow(refused);
  });
});

test.each([
  [{ allowedSpecial: ["<|endoftxt|>"] }, 'Did you mean "<|endoftext|>"?'],
  [{ allowedSpecial: ["nothing of the kind"] }, "It has <|endoftext|>"],
  [{ allowedSpecial: "some" }, ""],
  [{ allowedSpecial: [""] }, ""],
  [{ allowedspecial: "all" }, 'Did you mean "allowedSpecial"?'],
])("options that are refused: %j", (options, hint) => {
  expect(() => gpt2.encode("x", options as object)).toThrow(
    expect.objectContaining({ code: "INVALID_OPTION", hint: expect.stringContaining(hint) }),
  );
});

test.each(GOLDEN.encode)("as tiktoken and tokenizers: $text", ({ text, ids }) => {
  expect(gpt2.encode(text)).toEqual(ids);
  expect(gpt2.encode(text), "a second time").toEqual(ids);
  expect(gpt2.decode(ids)).toBe(text);
  const pieces = gpt2.pieces(text);
  expect(pieces.map(({ id }) => id)).toEqual(ids);
  expect(pieces.map((piece) => piece.text).join("")).toBe(text);
  for (const piece of pieces) expect(text.startsWith(piece.text, piece.start)).toBe(true);
  expect(Buffer.concat(pieces.map(({ bytes }) => bytes)).toString()).toBe(text);
});

test("U+FEFF is no white space, and U+0085 is", () => {
  expect(gpt2.encode("\n\n\uFEFF")).toEqual([198, 198, 171, 119, 123]);
  expect(piecesOf("a\u0085\u0085b\uFEFF c")).toEqual(["a", "\u0085", "\u0085", "b", "\uFEFF", " c"]);
});

test("a special token is ordinary text unless it is allowed", () => {
  expect(gpt2.encode("<|endoftext|>")).not.toContain(50_256);
  expect(gpt2.specialTokens).toEqual({ "<|endoftext|>": 50_256 });
  for (const { text, ids } of GOLDEN.encodeSpecial) {
    expect(gpt2.encode(text, { allowedSpecial: "all" })).toEqual(ids);
    expect(gpt2.encode(text, { allowedSpecial: ["<|endoftext|>"] })).toEqual(ids);
  }
});

test("of special tokens that begin at one place, the longest is taken", () => {
  const tokenizer = Tokenizer.from({ merges: [], specialTokens: ["<|a|>", "<|a|><|b|>", "<|b|>"] });
  const encode = (text: string): number[] => tokenizer.encode(text, { allowedSpecial: "all" });
  expect(encode("<|a|><|b|><|a|><|a|><|b|><|b|>")).toEqual([257, 256, 257, 258]);
  expect(tokenizer.decode(encode("x<|a|>y"))).toBe("x<|a|>y");
});

test("a word of any length: as the merges one by one, and not in the square of its length", () => {
  const tokenizer = Tokenizer.from({
    merges: "a a\naa aa\nb a\naaaa aaaa\nab a\n".replace("ab a\n", "ba aa\n"),
  });
  const seconds = (count: number): number => {
    const text = "aab".repeat(count);
    const start = performance.now();
    const ids = tokenizer.encode(text);
    expect(tokenizer.decode(ids)).toBe(text);
    return performance.now() - start;
  };
  // By the merges in their order, each wherever it stands.
  const plain = (text: string): string[] => {
    let tokens = Array.from(text);
    for (const [left, right] of tokenizer.merges) {
      const pair = [tokenizer.textOf(left), tokenizer.textOf(right)];
      const next: string[] = [];
      for (let at = 0; at < tokens.length; at += 1) {
        if (tokens[at] === pair[0] && tokens[at + 1] === pair[1]) next.push(tokens[at]! + tokens[++at]!);
        else next.push(tokens[at]!);
      }
      tokens = next;
    }
    return tokens;
  };
  for (const length of [1, 7, 8, 9, 23, 24, 25, 26, 200, 1000]) {
    const word = Array.from({ length }, (_, at) => "aaabaab"[(at * at) % 7]).join("");
    expect(tokenizer.encode(word).map((id) => tokenizer.textOf(id))).toEqual(plain(word));
  }
  // What is quadratic would not end within the limit of a test: 300,000 letters, each looked at 300,000 times.
  expect(seconds(100_000)).toBeGreaterThan(0);
});

test("which token shows which bytes, where a character has several", () => {
  expect(gpt2.pieces(" 文")).toEqual([
    { id: 10545, text: " ", bytes: Uint8Array.of(0x20, 0xe6), start: 0 },
    { id: 244, text: "", bytes: Uint8Array.of(0x96), start: 1 },
    { id: 229, text: "文", bytes: Uint8Array.of(0x87), start: 1 },
  ]);
  expect([10545, 244, 50_256].map((id) => gpt2.textOf(id))).toEqual([" <E6>", "<96>", "<|endoftext|>"]);
});

function piecesOf(text: string): string[] {
  const pieces: string[] = [];
  eachPiece(text, (from, to) => pieces.push(text.slice(from, to)));
  return pieces;
}
