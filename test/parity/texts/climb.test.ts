import { describe, expect, test } from "vitest";
import { verdictText } from "../../../src/parity/report/words.ts";
import { arrayOfFloats, arrayOfIntegers } from "../../../src/parity/compare/array.ts";
import type { StageArray } from "../../../src/parity/compare/array.ts";
import { TextClimb } from "../../../src/parity/text/ladder.ts";
import type { TextLadder, TextLadderOptions } from "../../../src/parity/text/ladder.ts";
import { checkPublished, publishedText } from "../../../src/parity/text/published.ts";
import { summariseTexts } from "../../../src/parity/text/run.ts";
import type { OurText, TextStage, TheirAnswer, Way } from "../../../src/parity/text/stages.ts";

const WAY: Way = { name: "seed-7", maxTokens: 3, temperature: 1, topK: 0, topP: 1, seed: 7 };
const WIDTH = 4;

function steps(...values: number[]): StageArray {
  const data = Float32Array.from(values.flatMap((value) => [value, 0, 1, 2]));
  return { dtype: "<f4", shape: [values.length, WIDTH], data };
}

const PASS: readonly [TextStage, StageArray][] = [
  ["tokenEmbeddings", arrayOfFloats(Float32Array.of(1, 2))],
  ["hidden.0", arrayOfFloats(Float32Array.of(3, 4))],
];
const ANSWER: TheirAnswer = { steps: steps(5, 6, 7), ids: [1, 2, 3], text: "and so" };

const OURS: OurText = {
  kind: "traced",
  ids: [8, 9],
  pass: new Map(PASS),
  answers: [{ way: WAY, steps: steps(5, 6, 7), ids: [1, 2, 3], text: "and so" }],
};

interface Theirs {
  readonly tokens?: readonly number[];
  readonly pass?: readonly (readonly [TextStage, StageArray])[];
  readonly answer?: Partial<TheirAnswer>;
}

function climb(theirs: Theirs, options: Partial<TextLadderOptions> = {}, ours = OURS): TextLadder {
  const climbing = new TextClimb(ours, { textOf: (id) => `t${id}`, ...options });
  climbing.stage("tokens", arrayOfIntegers(theirs.tokens ?? [8, 9]));
  for (const [stage, array] of theirs.pass ?? PASS) climbing.stage(stage, array);
  climbing.answer("seed-7", { ...ANSWER, ...theirs.answer });
  return climbing.ladder(undefined);
}

function said(ladder: TextLadder): string {
  return verdictText(ladder);
}

describe("a difference is said with its stage, how much it is, and where", () => {
  test("another token", () => {
    expect(said(climb({ tokens: [8, 5] }))).toBe(
      'diverged at tokens: 1 of 2 values; token 2 is 9 "t9" here and 5 "t5" there',
    );
    expect(said(climb({ tokens: [8] }))).toContain('token 2 is 9 "t9" here and none there');
  });

  test("a layer's output", () => {
    const pass = [PASS[0]!, ["hidden.0", arrayOfFloats(Float32Array.of(3, 4.5))] as const];
    expect(said(climb({ pass }))).toMatch(
      /^diverged at hidden\.0: 1 of 2 values, by up to 0\.5 \(\S+ ULP\)$/,
    );
  });

  test("the logits of a step, with its number", () => {
    expect(said(climb({ answer: { steps: steps(5, 6.5, 7) } }))).toMatch(
      /^diverged at steps\.seed-7: 1 of 12 values, by up to 0\.5 \(.*\); first at step 2 of 3$/,
    );
  });

  test("another token by the same logits; what each side continues behind it is not compared", () => {
    const ladder = climb({ answer: { ids: [1, 4, 3], steps: steps(5, 6, 70), text: "and no" } });
    expect(said(ladder)).toBe(
      'diverged at ids.seed-7: 1 of 3 values; token 2 is 2 "t2" here and 4 "t4" there',
    );
    expect(ladder.rungs.find(({ stage }) => stage === "steps.seed-7")).toMatchObject({
      outcome: "equal",
      comparison: { total: 2 * WIDTH },
    });
  });

  test("an answer that ended before the other", () => {
    const ladder = climb({ answer: { ids: [1, 2], steps: steps(5, 6), text: "and" } });
    expect(said(ladder)).toBe('diverged at ids.seed-7: 1 of 3 values; token 3 is 3 "t3" here and none there');
  });

  test("another text of the same tokens", () => {
    expect(said(climb({ answer: { text: "and s\u{FFFD}" } }))).toBe(
      'diverged at text.seed-7: 1 of 6 values; from character 6 on it is "o" here and "\u{FFFD}" there',
    );
  });
});

describe("what is not compared", () => {
  test("is said where the reference has no stage, no vocabulary, or cannot judge the text", () => {
    const climbing = new TextClimb(OURS, { textOf: String });
    climbing.skipped("tokens", "Unicode 9 does not know it");
    climbing.stage(...PASS[0]!);
    const { steps: logits, ids } = ANSWER;
    climbing.answer("seed-7", { steps: logits, ids });
    const ladder = climbing.ladder(undefined);
    expect(said(ladder)).toBe("equal where compared");
    expect(ladder.rungs.filter(({ outcome }) => outcome === "skipped").map(({ stage }) => stage)).toEqual([
      "tokens",
      "text.seed-7",
      "hidden.0",
    ]);
  });
});

describe("a refusal", () => {
  const ours = { kind: "refused", code: "INVALID_INPUT", message: "The prompt is empty." } as const;
  const theirs = { kind: "refused", code: "ValueError", message: "expected 1 to 9 tokens" } as const;

  test("by both is none", () => {
    expect(said(new TextClimb(ours, { textOf: String }).ladder(theirs))).toBe(
      "refused by both: INVALID_INPUT / ValueError",
    );
  });

  test("by one alone is a divergence", () => {
    expect(said(new TextClimb(ours, { textOf: String }).ladder(undefined))).toBe(
      "diverged at tokens: refused here only, INVALID_INPUT: The prompt is empty.",
    );
    expect(said(new TextClimb(OURS, { textOf: String }).ladder(theirs))).toContain(
      "refused there only, ValueError",
    );
  });
});

describe("within a tolerance", () => {
  const tolerance = { rtol: 0, atol: 0.6 };

  test("logits may differ, and the first stage is named still", () => {
    const ladder = climb({ answer: { steps: steps(5, 6.5, 7) } }, { tolerance });
    expect(ladder).toMatchObject({ verdict: "close", firstDivergence: "steps.seed-7" });
  });

  test("tokens may not", () => {
    expect(climb({ answer: { ids: [1, 2, 4] } }, { tolerance }).verdict).toBe("diverged");
  });
});

describe("the summary", () => {
  const report = (ladder: TextLadder) => ({ input: "x", tokens: 2, answers: [], ...ladder });

  test("adds up by kinds of stages, and says which stages differed first", () => {
    const other = climb({ answer: { steps: steps(5, 6.5, 7) } });
    const summary = summariseTexts([report(climb({})), report(other)]);
    expect(summary).toMatchObject({
      passed: false,
      prompts: 2,
      verdicts: { equal: 1, diverged: 1 },
      firstDivergences: [["steps.seed-7", 1]],
    });
    expect(summary.stages).toMatchObject({
      hidden: { compared: 2, values: 4, differingValues: 0 },
      attention: { compared: 0 },
      steps: { compared: 2, differing: 1, values: 24, differingValues: 1 },
    });
  });

  test("fails by another continuation than the published one alone", () => {
    const check = {
      checked: true,
      equal: false,
      source: "a test",
      prompt: [464],
      expected: [1],
      received: [2],
    } as const;
    expect(summariseTexts([report(climb({}))], check).passed).toBe(false);
    expect(summariseTexts([report(climb({}))], { ...check, equal: true }).passed).toBe(true);
  });
});

describe("the published continuation", () => {
  // No trained GPT-2 is here: a stand-in writes what is expected, and shows no more than that it is compared.
  const PUBLISHED = [
    373, 1043, 287, 257, 2214, 1474, 262, 16246, 286, 2688, 290, 2688, 27262, 13, 198, 198, 464, 3290,
  ];
  const standin = (name: string, ids: readonly number[]) => ({
    asked: [] as unknown[],
    info: () => ({ model: "gpt2", weights: { name } }) as never,
    async generate(...asked: unknown[]) {
      this.asked.push(asked);
      return { ids } as never;
    },
  });

  test("is asked for greedily of gpt2's pretrained weights", async () => {
    const fake = standin("pretrained", PUBLISHED);
    const check = await checkPublished(fake);
    expect(check).toMatchObject({ checked: true, equal: true });
    expect(publishedText(check)).toBe("published greedy continuation of [464, 3290]: the same 18 tokens");
    expect(fake.asked).toEqual([[[464, 3290], { maxTokens: 18, temperature: 0 }]]);
  });

  test("is another one where one token is", async () => {
    const check = await checkPublished(standin("pretrained", PUBLISHED.with(6, 257)));
    expect(check).toMatchObject({ checked: true, equal: false });
    expect(publishedText(check)).toContain("diverged at token 7, 257 here and 262 there");
  });

  test("is not asked for of weights that nobody trained, and that is said", async () => {
    const fake = standin("untrained:0", PUBLISHED);
    const check = await checkPublished(fake);
    expect(publishedText(check)).toBe(
      "published continuation: not checked, nothing is published of gpt2, untrained:0, only of gpt2, pretrained",
    );
    expect(fake.asked).toEqual([]);
  });
});
