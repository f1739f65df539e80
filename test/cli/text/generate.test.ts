import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { run } from "../../../src/cli/commands/text/generate.ts";
import { explained } from "../../../src/cli/commands/text/explain.ts";
import { createGenerator } from "../../../src/generation/generator.ts";
import type { GeneratedText } from "../../../src/generation/generator.ts";
import { PYTHON } from "../../python.ts";
import { writeSmallGpt2 } from "../../small-gpt2.ts";
import { printed } from "../printed.ts";

const PROMPT = "God said, Let";
let folder: string;
let flags: string[];
/** What the API answers with this seed. */
let known: GeneratedText;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "generate-test-"));
  await writeSmallGpt2(folder);
  flags = ["--weights", folder, "--python", PYTHON, "--device", "cpu", "--threads", "1"];
  await using generator = await createGenerator({
    weights: folder,
    python: PYTHON,
    device: "cpu",
    threads: 1,
  });
  known = await generator.generate(PROMPT, { seed: 7, maxTokens: 12, temperature: 0.8, candidates: 3 });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const SAMPLED = ["--max-tokens", "12", "--temperature", "0.8"];

interface Line {
  id?: number;
  text: string;
  logprob?: number;
  candidates?: object[];
  ids?: number[];
  seed?: number;
  finishReason?: string;
}
const linesOf = (text: string): Line[] =>
  text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Line);

test("stdout has the text of the API and nothing else, stderr the seed", async () => {
  const { code, stdout, stderr } = await printed(run, [PROMPT, "--seed", "7", ...SAMPLED, ...flags]);
  expect(code).toBe(0);
  expect(stdout).toBe(known.text);
  expect(stderr).toBe("seed 7, 12 tokens (length)\n");
});

test("without a seed each run gives another text, and the seed that is told gives it again", async () => {
  const first = await printed(run, [PROMPT, ...SAMPLED, ...flags]);
  const seed = /^seed (\d+),/.exec(first.stderr)?.[1] ?? "none";
  const again = await printed(run, [PROMPT, "--seed", seed, ...SAMPLED, ...flags]);
  expect(again.stdout).toBe(first.stdout);
  expect(first.stdout).not.toBe(known.text);
});

test("--json has a line for each token with its candidates, and the whole at the end", async () => {
  const args = ["--json", "--candidates", "3", "--seed", "7", ...SAMPLED, ...flags];
  const { stdout } = await printed(run, [PROMPT, ...args]);
  const lines = linesOf(stdout);
  const end = lines.pop();
  expect(lines).toEqual(known.tokens);
  expect(end).toEqual({
    text: known.text,
    ids: known.ids,
    seed: 7,
    finishReason: "length",
    promptTokens: known.promptTokens,
    model: expect.any(String) as string,
    weights: folder,
  });
});

test("--explain marks the token that was drawn at each step, and ends with the text", async () => {
  const args = ["--explain", "--candidates", "3", "--seed", "7", ...SAMPLED, ...flags];
  const { stdout } = await printed(run, [PROMPT, ...args]);
  const steps = stdout.split(/^(?=\d+  drawn)/m);
  expect(steps).toHaveLength(known.tokens.length);
  for (const [at, { id, candidates }] of known.tokens.entries()) {
    const marked = steps[at]?.split("\n").filter((line) => line.startsWith("  →"));
    expect(marked).toHaveLength(1);
    expect(marked?.[0]).toMatch(new RegExp(`^  → +${id} `));
    for (const candidate of candidates ?? []) expect(steps[at]).toContain(` ${candidate.id} `);
  }
  expect(stdout.endsWith(`\n${known.text}\n`)).toBe(true);
});

test("a file's prompt is its text without the one line end at its end", async () => {
  const file = join(folder, "prompt.txt");
  writeFileSync(file, `${PROMPT}\r\n`);
  const { stdout } = await printed(run, ["--file", file, "--seed", "7", ...SAMPLED, ...flags]);
  expect(stdout).toBe(known.text);
});

test("Ctrl-C ends the text where it is, and the seed is told all the same", async () => {
  const interrupt = new AbortController();
  const texts: string[] = [];
  const said: string[] = [];
  vi.spyOn(process.stdout, "write").mockImplementation((text) => {
    texts.push(String(text));
    interrupt.abort();
    return true;
  });
  vi.spyOn(process.stderr, "write").mockImplementation((text) => said.push(String(text)) > 0);
  const args = [PROMPT, "--json", "--max-tokens", "40", "--seed", "7", ...flags];
  const code = await run(args, interrupt.signal).finally(() => vi.restoreAllMocks());
  const lines = linesOf(texts.join(""));
  const end = lines.at(-1);
  expect(end).toMatchObject({ finishReason: "aborted", seed: 7 });
  expect(end?.ids).toEqual(lines.slice(0, -1).map(({ id }) => id));
  expect(lines.length).toBeLessThan(40);
  expect([code, said.join("")]).toEqual([0, expect.stringContaining("(aborted)")]);
});

describe("refused before anything is started:", () => {
  test.each([
    [["--max-tokens", "0"], "--max-tokens"],
    [["--top-p", "0"], "--top-p"],
    [["--min-p", "1.5"], "--min-p"],
    [["--temperature", "NaN"], "--temperature"],
    [["--seed", "4294967296"], "--seed"],
    [["--json", "--candidates", "101"], "--candidates"],
    [["--candidates", "3"], "--candidates"],
    [["--json", "--explain"], "--json"],
    [["--repetition-penalty", "0"], "--repetition-penalty"],
    [["another prompt"], "One prompt"],
    [["--file", "prompt.txt"], "--file"],
  ])("%j", async (args, named) => {
    const promise = printed(run, [PROMPT, ...args, "--python", "/nowhere/python3"]);
    await expect(promise).rejects.toMatchObject({
      code: "INVALID_OPTION",
      message: expect.stringContaining(named) as string,
    });
  });

  test("no prompt, an empty one, and a file that is not there", async () => {
    const nowhere = ["--python", "/nowhere/python3"];
    await expect(printed(run, nowhere)).rejects.toMatchObject({ code: "INVALID_OPTION" });
    await expect(printed(run, ["", ...nowhere])).rejects.toMatchObject({ code: "INVALID_INPUT" });
    const missing = ["--file", join(folder, "missing.txt"), ...nowhere];
    await expect(printed(run, missing)).rejects.toMatchObject({ code: "INPUT_NOT_FOUND" });
  });
});

test("a prompt and tokens that the network has no room for", async () => {
  const promise = printed(run, [PROMPT, "--max-tokens", "64", ...flags]);
  await expect(promise).rejects.toMatchObject({ code: "CONTEXT_LENGTH" });
});

test("a token that is none of the candidates stands below them", () => {
  const candidates = [
    { id: 1, text: " a", logprob: Math.log(0.5) },
    { id: 2, text: "\n", logprob: Math.log(0.25) },
  ];
  expect(explained({ id: 9, text: "猫", logprob: Math.log(0.002), candidates }, "猫", 4)).toEqual([
    '4  drawn: "猫", 0.20 %, none of the 2 likeliest',
    `         1  " a"                 50.0 %  ${"█".repeat(15)}`,
    `         2  "\\n"                 25.0 %  ${"█".repeat(7)}▌`,
    "      …",
    '  →      9  "猫"                 0.20 %',
  ]);
});
