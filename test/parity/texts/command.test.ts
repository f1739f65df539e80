import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { namesTexts } from "../../../src/checkpoints/text/which.ts";
import { run } from "../../../src/cli/commands/parity/parity.ts";
import { PYTHON } from "../../python.ts";
import { writeNetwork } from "./network.ts";

let scratch: string;
let network: string;
beforeAll(async () => {
  scratch = mkdtempSync(join(tmpdir(), "text-parity-test-"));
  network = join(scratch, "network");
  await writeNetwork(network);
});
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

async function printed(argv: readonly string[]): Promise<{ code: number; text: string }> {
  const lines: string[] = [];
  const write = vi.spyOn(process.stdout, "write").mockImplementation((text) => lines.push(String(text)) > 0);
  try {
    return { code: await run(argv), text: lines.join("") };
  } finally {
    write.mockRestore();
  }
}

describe("the command line is refused when", () => {
  test.each([
    ["no prompt is given", ["--model", "gpt2"]],
    ["a flag of texts is given for pictures", ["dog.jpg", "--seeds", "1"]],
    ["a flag of pictures is given for texts", ["--model", "gpt2", "The dog", "--handoff", "all"]],
    ["a report is asked for", ["--model", "gpt2", "The dog", "--report", "r.html"]],
    ["the device is another one", ["--model", "gpt2", "The dog", "--device", "cuda"]],
    ["the reference is unknown", ["--model", "gpt2", "The dog", "--reference", "nanogpt"]],
    ["a seed is no number", ["--model", "gpt2", "The dog", "--seeds", "1,two"]],
    [
      "nothing is drawn and seeds are given",
      ["--model", "gpt2", "The dog", "--temperature", "0", "--seeds", "1"],
    ],
  ])("%s", async (_, argv) => {
    await expect(run(argv)).rejects.toMatchObject({ code: "INVALID_OPTION" });
  });
});

describe("a network is one of texts", () => {
  test.each([
    ["by its name", { model: "gpt2-medium" }, true],
    ["not by that of a classifier", { model: "resnet50" }, false],
    ["not without a word", {}, false],
    ["not by weights of a classifier", { weights: "untrained:0" }, false],
  ])("%s", async (_, options, expected) => {
    expect(await namesTexts(options)).toBe(expected);
  });

  test("by the config.json in its folder, or beside its file", async () => {
    expect(await namesTexts({ weights: network })).toBe(true);
    expect(await namesTexts({ weights: join(network, "model.safetensors") })).toBe(true);
    const other = join(scratch, "bert");
    mkdirSync(other);
    expect(await namesTexts({ weights: other })).toBe(false);
    writeFileSync(join(other, "config.json"), '{"model_type": "bert"}');
    expect(await namesTexts({ weights: other })).toBe(false);
    writeFileSync(join(other, "config.json"), "{");
    expect(await namesTexts({ weights: other })).toBe(false);
  });
});

test("a run finds no differing bit, at any stage, greedily and with each seed", async () => {
  const prompts = join(scratch, "prompts.txt");
  // Half of a pair cannot stand in a file; a word, white space that is one token, letters of several bytes; too long for 64.
  const lines = ["in the end 😀 春", " ", "the ".repeat(70)];
  writeFileSync(prompts, `${lines.join("\r\n")}\n`);
  const flags = ["--weights", network, "--threads", "1", "--python", PYTHON, "--max-tokens", "5", "--json"];
  const sampling = ["--seeds", "4,4294967295", "--temperature", "0.8", "--top-k", "30", "--top-p", "0.9"];
  const argv = ["", "t", "half \ud83d of it", "--prompts", prompts, ...flags, ...sampling];
  const { code, text } = await printed(argv);
  const objects = text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  const last = objects.pop();
  expect(objects.map(({ verdict }) => verdict)).toEqual([
    "refused",
    "equal",
    "refused",
    "equal",
    "equal",
    "refused",
  ]);
  expect(objects.map(({ refusal }) => refusal?.ours.code ?? null)).toEqual([
    "INVALID_INPUT",
    null,
    "INVALID_INPUT",
    null,
    null,
    "CONTEXT_LENGTH",
  ]);
  const [, one] = objects;
  expect(Object.keys(one)).toEqual(["input", "tokens", "verdict", "rungs", "firstDivergence", "answers"]);
  expect(one).toMatchObject({ input: "t", tokens: 1, firstDivergence: null });
  expect(one.rungs).toHaveLength(9 + 3 * 3);
  expect(one.answers.map(({ name, ids }: { name: string; ids: number[] }) => [name, ids.length])).toEqual([
    ["greedy", 5],
    ["seed-4", 5],
    ["seed-4294967295", 5],
  ]);
  expect(last.summary).toMatchObject({
    passed: true,
    prompts: 6,
    verdicts: { equal: 3, refused: 3, diverged: 0 },
    stages: { tokens: { compared: 3, differing: 0, skipped: 0 }, steps: { compared: 9, differingValues: 0 } },
  });
  expect(last.reference).toMatchObject({ name: "plain PyTorch (plain)", threads: 1, tokens: "plain Python" });
  expect(last.weights).toMatchObject({ name: network, integrity: "unpinned", trained: null });
  expect(last.weights.path).toBeUndefined();
  expect(last.published).toMatchObject({ checked: false });
  expect(code).toBe(0);
});

test("without --json it says the same in lines", async () => {
  const { code, text } = await printed([
    "the god\u001b[2J",
    "--weights",
    network,
    "--threads",
    "1",
    "--python",
    PYTHON,
    "--max-tokens",
    "2",
    "--seeds",
    "none",
  ]);
  expect(text).toMatch(/^"the god\\u001b\[2J" {2}\d+ tokens {2}equal$/m);
  expect(text).toMatch(/^ {2}steps +0 of [\d,]+ values differ$/m);
  expect(text).toContain("1 prompt: 1 equal; against plain PyTorch (plain)");
  expect(text).toContain("published continuation: not checked");
  expect(code).toBe(0);
});
