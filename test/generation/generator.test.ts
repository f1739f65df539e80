/** The whole path with a real worker and a GPT-2 of 2 layers. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type TextGenerator, createGenerator } from "../../src/index.ts";
import { codeOf, failureOf } from "../failure.ts";
import { PYTHON } from "../python.ts";
// @ts-expect-error -- a script without types
import { SMALL, smallNetwork } from "../../scripts/text/small.mjs";

const folder = mkdtempSync(join(tmpdir(), "generator-test-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let generator: TextGenerator;
beforeAll(async () => {
  const weights = await smallNetwork(join(folder, "small"));
  // Ends are a test below, and none of them is to open the circuit.
  generator = await createGenerator({
    weights,
    python: PYTHON,
    threads: 1,
    supervision: { maxExits: 100, restartDelaysMs: [1] },
  });
});
afterAll(() => generator.close());

test("info() says what it is, and which computation the bits are those of", () => {
  const info = generator.info();
  expect(info).toMatchObject({
    context: SMALL.context,
    vocabulary: generator.tokenizer.vocabSize,
    layers: 2,
    heads: 2,
    width: 32,
    precision: "exact",
    weights: { integrity: "unpinned", trained: null },
  });
  expect(info.reference).toContain("GPT2LMHeadModel");
});

test("the same seed gives the same text, another one another; without one it is drawn and told", async () => {
  const drawn = await generator.generate("In the", { maxTokens: 20 });
  expect(drawn.ids).toHaveLength(20);
  expect(drawn.finishReason).toBe("length");
  const { timings = {}, ...text } = drawn;
  expect(Object.keys(timings)).toEqual(["queue", "prefill", "decode"]);
  expect(await generator.generate("In the", { maxTokens: 20, seed: drawn.seed })).toMatchObject(text);
  const other = await generator.generate("In the", { maxTokens: 20, seed: (drawn.seed ^ 1) >>> 0 });
  expect(other.ids).not.toEqual(drawn.ids);
});

test("the deltas, joined, are what decode makes of the ids, and the answer of generate()", async () => {
  for (let seed = 0; seed < 20; seed += 1) {
    const { text, ids, tokens } = await generator.generate("起初", { maxTokens: 24, seed, temperature: 2 });
    expect(tokens.map((token) => token.text).join("")).toBe(text);
    expect(text).toBe(generator.tokenizer.decode(ids));
  }
});

test("greedy takes the likeliest candidate; logprobs are those of the whole distribution", async () => {
  const { tokens } = await generator.generate("God", { maxTokens: 8, temperature: 0, candidates: 5 });
  for (const { id, logprob, candidates = [] } of tokens) {
    expect(candidates).toHaveLength(5);
    expect(candidates[0]).toMatchObject({ id, logprob });
    const logprobs = candidates.map((candidate) => candidate.logprob);
    expect(logprobs).toEqual(logprobs.toSorted((a, b) => b - a));
  }
  const warm = await generator.generate("God", { maxTokens: 1, temperature: 5, topK: 1, seed: 3 });
  expect(warm.tokens[0]).toMatchObject({ id: tokens[0]?.id, logprob: tokens[0]?.logprob });
});

test("logit bias, stop tokens and stop texts are heard", async () => {
  const [id = 0] = generator.tokenizer.encode("!");
  const biased = await generator.generate("God", {
    maxTokens: 3,
    temperature: 0,
    logitBias: { [id]: 1_000 },
  });
  expect(biased.ids).toEqual([id, id, id]);
  const options = { maxTokens: 3, temperature: 0, logitBias: { [id]: 1_000 } };
  const byId = await generator.generate("God", { ...options, stopIds: [id] });
  expect(byId).toMatchObject({ text: "", ids: [], finishReason: "stop" });
  const byText = await generator.generate("God", { ...options, stop: "!!" });
  expect(byText).toMatchObject({ text: "", ids: [id, id], finishReason: "stop" });
});

test("eight streams at once are what each of them is alone", async () => {
  const ask = async (seed: number) => (await generator.generate("And the", { maxTokens: 16, seed })).tokens;
  const together = await Promise.all(Array.from({ length: 8 }, (_, seed) => ask(seed)));
  for (const [seed, answer] of together.entries()) expect(answer).toEqual(await ask(seed));
});

test("whoever leaves a stream frees the worker, which answers the next one", async () => {
  for await (const token of generator.stream("And", { maxTokens: 80 })) if (token.id >= 0) break;
  const abort = new AbortController();
  const stream = generator.stream("And", { maxTokens: 80, signal: abort.signal });
  await stream.next();
  abort.abort();
  expect(await codeOf(stream.next())).toBe("ABORTED");
  expect((await generator.generate("And", { maxTokens: 2 })).ids).toHaveLength(2);
});

test("a worker that is killed in the middle of texts costs them nothing: other workers go on where it was", async () => {
  const options = { maxTokens: 40, temperature: 1.5 };
  for (let seed = 0; seed < 2; seed += 1) {
    const whole = await generator.generate("void", { ...options, seed });
    const stream = generator.stream("void", { ...options, seed });
    const ids: number[] = [];
    let text = "";
    for await (const token of stream) {
      ids.push(token.id);
      text += token.text;
      const { pid } = generator.health();
      if (ids.length === 5 + 10 * seed && pid !== undefined) process.kill(pid, "SIGKILL");
    }
    expect({ ids, text }).toEqual({ ids: whole.ids, text: whole.text });
  }
  expect(generator.stats().redelivered).toBeGreaterThanOrEqual(1);
});

test("inspect() has every stage as whole arrays, and attention that sums to 1 and looks back alone", async () => {
  const include = { embeddings: true, attention: true, hidden: true, norm: true, logits: true };
  const found = await generator.inspect("In the", { include });
  const tokens = found.ids.length;
  expect(found.tokens.join("")).toBe("In the");
  expect(found.tokenEmbeddings?.shape).toEqual([tokens, 32]);
  expect(found.positionEmbeddings?.shape).toEqual([tokens, 32]);
  expect(found.hidden?.shape).toEqual([2, tokens, 32]);
  expect(found.norm?.shape).toEqual([tokens, 32]);
  expect(found.logits?.shape).toEqual([tokens, generator.tokenizer.vocabSize]);
  const { data = new Float32Array(), shape } = found.attention ?? {};
  expect(shape).toEqual([2, 2, tokens, tokens]);
  for (let row = 0; row < 4 * tokens; row += 1) {
    const looks = data.subarray(row * tokens, (row + 1) * tokens);
    expect(looks.reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 5);
    expect([...looks].slice((row % tokens) + 1).every((share) => share === 0)).toBe(true);
  }
  const only = await generator.inspect([1, 2], { include: { logits: true } });
  expect(only.attention).toBeUndefined();
  // What generation sees of the last token is what is seen here.
  const step = await generator.generate("In the", { maxTokens: 1, temperature: 0 });
  const { data: logits = new Float32Array() } = found.logits ?? {};
  const last = logits.subarray((tokens - 1) * generator.tokenizer.vocabSize);
  expect(last.indexOf(Math.max(...last))).toBe(step.ids[0]);
});

describe("bad input fails with a code, and disturbs nobody", () => {
  const bad: [what: string, code: string, call: () => Promise<unknown>][] = [
    ["an empty prompt", "INVALID_INPUT", () => generator.generate("")],
    ["no tokens", "INVALID_INPUT", () => generator.generate([])],
    ["half of a surrogate pair", "INVALID_INPUT", () => generator.generate("\uD800")],
    ["a token that there is not", "INVALID_INPUT", () => generator.generate([SMALL.vocabulary + 99])],
    ["what is no text", "INVALID_INPUT", () => generator.generate(7 as never)],
    ["a prompt of 1 MB", "CONTEXT_LENGTH", () => generator.generate("word ".repeat(200_000))],
    ["more tokens than the context has", "CONTEXT_LENGTH", () => generator.generate("In", { maxTokens: 96 })],
    ["a temperature of NaN", "INVALID_OPTION", () => generator.generate("In", { temperature: Number.NaN })],
    ["topP of 0", "INVALID_OPTION", () => generator.generate("In", { topP: 0 })],
    ["an empty stop text", "INVALID_OPTION", () => generator.generate("In", { stop: "" })],
    [
      "a bias of a token that there is not",
      "INVALID_OPTION",
      () => generator.generate("In", { logitBias: { 99999: 1 } }),
    ],
    ["a seed below 0", "INVALID_OPTION", () => generator.generate("In", { seed: -1 })],
    ["an option that there is not", "INVALID_OPTION", () => generator.generate("In", { topk: 1 } as never)],
    ["nothing to inspect", "INVALID_OPTION", () => generator.inspect("In", { include: {} })],
  ];
  test.each(bad)("%s", async (_what, code, call) => {
    const beside = generator.generate("In the", { maxTokens: 4, seed: 1 });
    const error = await failureOf((async () => call())());
    expect(error.code).toBe(code);
    expect(error.hint).not.toBe("");
    expect((await beside).ids).toHaveLength(4);
  });
});
