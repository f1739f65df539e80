import { expect, test } from "vitest";
import { Tokenizer } from "../../src/text/tokenizer.ts";
import { GOLDEN } from "./golden.ts";

const gpt2 = Tokenizer.gpt2();

test.each([[-1], [50_257], [1.5], [Number.NaN], ["5"], [undefined], [5n]])(
  "the id %s is refused, also when it comes alone",
  (id) => {
    const refused = expect.objectContaining({
      code: "INVALID_INPUT",
      message: expect.stringContaining("ids go from 0 to 50256"),
    });
    expect(() => gpt2.decode([464, id as number])).toThrow(refused);
    expect(() => gpt2.decoder().push(id as number)).toThrow(refused);
    expect(() => gpt2.textOf(id as number)).toThrow(refused);
  },
);

test.each([[464], [undefined], ["464"]])("%s is no list of ids", (ids) => {
  expect(() => gpt2.decode(ids as unknown as number[])).toThrow(
    expect.objectContaining({ code: "INVALID_INPUT" }),
  );
});

test.each(GOLDEN.decode)("as Python decodes, whole and streamed: $ids", ({ ids, text }) => {
  expect(gpt2.decode(ids)).toBe(text);
  expect(gpt2.decode(Uint32Array.from(ids))).toBe(text);
  const decoder = gpt2.decoder();
  expect(ids.map((id) => decoder.push(id)).join("") + decoder.end()).toBe(text);
});

test("a token that ends inside of a character gives nothing yet, and U+FFFD stands for bytes that are wrong for good", () => {
  const decoder = gpt2.decoder();
  expect([10545, 244, 229].map((id) => decoder.push(id))).toEqual([" ", "", "文"]);
  // The next token begins another character: now it is known.
  expect([10545, 244, 464].map((id) => decoder.push(id))).toEqual([" ", "", "\uFFFDThe"]);
  expect([decoder.push(10545), decoder.end()]).toEqual([" ", "\uFFFD"]);
  expect([decoder.push(464), decoder.end()], "and it can be used anew").toEqual(["The", ""]);
});

test("a byte order mark is a character like any other, also at the start", () => {
  expect(gpt2.decode(gpt2.encode("\uFEFFa"))).toBe("\uFEFFa");
  const decoder = gpt2.decoder();
  expect(gpt2.encode("\uFEFFa").map((id) => decoder.push(id))).toEqual(["", "", "\uFEFF", "a"]);
});

test("of 300 streams of Chinese and emoji none has a U+FFFD on the way", () => {
  let state = 7;
  const next = (most: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * most);
  };
  for (let stream = 0; stream < 300; stream += 1) {
    const text = Array.from({ length: 30 }, () =>
      String.fromCodePoint(next(3) === 0 ? 0x1f600 + next(64) : 0x4e00 + next(20_000)),
    ).join("");
    const decoder = gpt2.decoder();
    const deltas = gpt2.encode(text).map((id) => decoder.push(id));
    expect(deltas.join("")).toBe(text);
    expect(decoder.end()).toBe("");
  }
});
