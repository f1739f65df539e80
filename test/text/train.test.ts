import { describe, expect, test } from "vitest";
import type { TokenMerge } from "../../src/text/options.ts";
import { Tokenizer } from "../../src/text/tokenizer.ts";
import { GOLDEN } from "./golden.ts";

interface Model {
  readonly model: { readonly merges: readonly string[]; readonly vocab: Readonly<Record<string, number>> };
}

function modelOf(tokenizer: Tokenizer): Model["model"] {
  return (tokenizer.toJSON() as unknown as Model).model;
}

test.each([
  [{ vocabSize: 255 }, 'Option "vocabSize" is 255'],
  [{ vocabSize: 257, specialTokens: ["<a>", "<b>"] }, "at least 258"],
  [{ vocabSize: 1e9 }, 'Option "vocabSize"'],
  [{ vocabSize: Number.NaN }, 'Option "vocabSize" is NaN'],
  [{ minFrequency: -1 }, 'Option "minFrequency" is -1'],
  [{ specialTokens: ["<a>", "<a>"] }, "each one once"],
  [{ specialTokens: ["word"] }, "no ordinary word"],
  [{ specialTokens: [""] }, 'Option "specialTokens"'],
  [{ rule: "bpe" }, 'Option "rule"'],
  [{ onMerge: 5 }, 'Option "onMerge"'],
  [{ vocabulary: 5 }, 'There is no option "vocabulary"'],
])("options that are refused: %j", (options, sentence) => {
  expect(() => Tokenizer.train(["a"], options as object)).toThrow(
    expect.objectContaining({ code: "INVALID_OPTION", message: expect.stringContaining(sentence) }),
  );
});

test.each([[5], [undefined], [{}]])("%j is no list of texts", (texts) => {
  expect(() => Tokenizer.train(texts as string[])).toThrow(
    expect.objectContaining({ code: "INVALID_INPUT" }),
  );
});

describe.each(GOLDEN.train)("of $texts, $vocabSize tokens", (corpus) => {
  const { texts, merges, vocab, firstSeen, specialTokens, minFrequency, vocabSize } = corpus;

  test("the merges and ids of HuggingFace's BpeTrainer", () => {
    const size = vocabSize;
    const trained = Tokenizer.train(texts, { vocabSize: size, minFrequency, specialTokens });
    const model = modelOf(trained);
    expect(model.merges).toEqual(merges.map((pair) => pair.join(" ")));
    expect(model.vocab).toMatchObject(vocab);
    expect(Object.keys(model.vocab)).toHaveLength(trained.vocabSize);
  });

  test("the merges of minbpe's rule", () => {
    const size = vocabSize - specialTokens.length;
    const trained = Tokenizer.train(texts, { vocabSize: size, minFrequency, rule: "minbpe" });
    expect(modelOf(trained).merges).toEqual(firstSeen.map((pair) => pair.join(" ")));
  });
});

test("the two rules differ, so that it is seen which one was taken", () => {
  expect(
    GOLDEN.train.some(({ merges, firstSeen }) => JSON.stringify(merges) !== JSON.stringify(firstSeen)),
  ).toBe(true);
});

test("each merge is told: its step, its pair, how often it stood there, and what it makes", () => {
  const told: TokenMerge[] = [];
  const tokenizer = Tokenizer.train("aaaa aaa 文文", {
    vocabSize: 259,
    onMerge: (merge) => told.push(merge),
  });
  expect(told).toEqual([
    { step: 1, pair: [64, 64], texts: ["a", "a"], count: 5, id: 256, text: "aa" },
    { step: 2, pair: [162, 244], texts: ["<E6>", "<96>"], count: 2, id: 257, text: "<E6><96>" },
    { step: 3, pair: [257, 229], texts: ["<E6><96>", "<87>"], count: 2, id: 258, text: "文" },
  ]);
  expect(tokenizer.merges).toEqual(told.map(({ pair }) => pair));
  expect(tokenizer.vocabSize).toBe(259);
});

test("an error of `onMerge` ends the training", () => {
  const onMerge = (): never => {
    throw new RangeError("enough");
  };
  expect(() => Tokenizer.train("aa", { onMerge })).toThrow(RangeError);
});

test("texts may come one by one, and no pair crosses from one into the next", () => {
  function* texts(): Generator<string> {
    yield "ab";
    yield "ab";
  }
  expect(modelOf(Tokenizer.train(texts())).merges).toEqual(["a b"]);
  expect(modelOf(Tokenizer.train([])).merges).toEqual([]);
});
