import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { languageOf } from "../../../src/cli/commands/text/tutorial.ts";
import { run } from "../../../src/cli/commands/tutorial.ts";
import { reprBytes } from "../../../src/parity/tutorial/repr.ts";
import { CHAPTERS, WORDS } from "../../../src/parity/tutorial/gpt/words.ts";
import { PYTHON } from "../../python.ts";
import { writeSmallGpt2 } from "../../small-gpt2.ts";
import { printed } from "../printed.ts";

vi.mock("../../../src/checkpoints/text/table.ts", async (original) => ({
  ...(await original<object>()),
  shippedFile: (name: string) => `/nowhere/models/${name}`,
}));

let folder: string;
let flags: string[];
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "tutorial-gpt-test-"));
  await writeSmallGpt2(folder);
  flags = ["--gpt", "--weights", folder, "--python", PYTHON, "--threads", "1"];
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Walked {
  prompt: string;
  seeds: number[];
  chapters: {
    chapter: string;
    title: string;
    steps: { python: string; output: string; check: { same: boolean; output: string } }[];
  }[];
  check: { same: boolean; bits: { name: string; values: number; differing: number }[] };
}

test("every step of every chapter prints what plain Python prints, with every bit, in Chinese too", async () => {
  const { code, stdout } = await printed(run, ["God said, Let", "--json", "--lang", "zh", ...flags]);
  const { chapters, check, seeds, prompt } = JSON.parse(stdout) as Walked;
  expect(chapters.map(({ chapter }) => chapter)).toEqual(CHAPTERS);
  expect(chapters.map(({ title }) => title)).toEqual(CHAPTERS.map((name) => WORDS.zh.chapters[name][0]));
  for (const { steps } of chapters) {
    for (const { python, output, check: step } of steps) expect(step.output, python).toBe(output);
    expect(steps.some(({ output }) => output !== "")).toBe(true);
  }
  expect(check.bits).toMatchObject([
    { name: "embeddings", differing: 0 },
    { name: "x", differing: 0 },
    { name: "looks", differing: 0 },
  ]);
  expect(check.bits.every(({ values }) => values > 0)).toBe(true);
  expect(prompt).toBe("God said, Let");
  expect(new Set(seeds).size).toBe(2);
  expect([code, check.same]).toEqual([0, true]);
});

test("people read what each chapter is about, and whether each output is equal", async () => {
  const { code, stdout } = await printed(run, ["--lang", "en", ...flags]);
  expect(code).toBe(0);
  for (const [at, name] of CHAPTERS.entries())
    expect(stdout).toContain(`# ${at + 1}. ${WORDS.en.chapters[name][0]}\n`);
  expect(stdout).toContain(">>> tokens = encode('In the beginning God')\n");
  expect(stdout.match(/^# same$/gm)?.length).toBeGreaterThan(25);
  expect(stdout).not.toContain("DIFFERENT");
  expect(stdout.trimEnd().endsWith("# equal")).toBe(true);
});

describe("refused:", () => {
  test.each([
    [["--gpt", "a", "b"], "one prompt"],
    [["--gpt", "--labels", "x.txt"], "--labels"],
    [["--gpt", "--as-written"], "--as-written"],
    [["--gpt", "--device", "cuda"], "CPU"],
    [["--gpt", "--lang", "fr"], "--lang"],
    [["dog.jpg", "--lang", "zh"], "--lang"],
  ])("%j", async (args, named) => {
    await expect(printed(run, args)).rejects.toMatchObject({
      code: "INVALID_OPTION",
      message: expect.stringContaining(named) as string,
    });
  });

  test("a prompt that Python's re does not split as GPT-2 does", async () => {
    const promise = printed(run, ["x²", ...flags]);
    await expect(promise).rejects.toMatchObject({ code: "INVALID_INPUT" });
  });

  test.each([[["--gpt"]], [["--gpt", "--weights", "untrained:0"]]])(
    "%j where the package is without its model, and it is said what helps",
    async (args) => {
      await expect(printed(run, args)).rejects.toMatchObject({
        code: "WEIGHTS_NOT_FOUND",
        message: expect.stringContaining("/nowhere/models/tiny/") as string,
        hint: expect.stringContaining("--model gpt2") as string,
      });
    },
  );
});

test.each([
  [{ LANG: "zh_CN.UTF-8" }, "zh"],
  [{ LC_ALL: "", LANG: "zh_TW" }, "zh"],
  [{ LC_ALL: "C", LANG: "zh_CN.UTF-8" }, "en"],
  [{ LC_MESSAGES: "zh_CN" }, "zh"],
  [{}, "en"],
])("the language of %j is %s", (env, language) => {
  expect(languageOf(env)).toBe(language);
});

test.each([
  [[116, 104], "b'th'"],
  [[39], `b"'"`],
  [[39, 34], `b'\\'"'`],
  [[92, 10, 9, 13, 0, 127, 230], String.raw`b'\\\n\t\r\x00\x7f\xe6'`],
])("bytes %j print as Python prints them", (bytes, text) => {
  expect(reprBytes(bytes)).toBe(text);
});
