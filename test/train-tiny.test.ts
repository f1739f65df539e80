/** The example that trains a small GPT-2, with a text that is made here in place of the Bible, and for a few steps. */
import { spawn, spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Tokenizer } from "../src/text/tokenizer.ts";
import { ofTest } from "./processes.ts";
import { PYTHON } from "./python.ts";
import { readSafetensors } from "./safetensors.ts";

const EXAMPLE = fileURLToPath(new URL("../examples/train-tiny/", import.meta.url));
const CLI = fileURLToPath(new URL("../dist/cli/main.js", import.meta.url));
const STEPS = ["--steps", "6", "--batch", "1", "--every", "2"];

let folder: string;
let trained: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "train-tiny-test-"));
  python("text.py", [folder], printed());
  const text = (name: string): string => join(folder, `${name}.txt`);
  isotorch("train", text("train"), "--vocab", "300", "--out", join(folder, "model"));
  for (const name of ["train", "held-out"])
    isotorch("encode", text(name), "--vocab", join(folder, "model"), "--out", join(folder, `${name}.npy`));
  trained = python("train.py", [...arrays(folder), join(folder, "model"), ...STEPS]);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("the last books are held out, verses lose their numbers, and chapters end with an empty line", () => {
  const train = readFileSync(join(folder, "train.txt"), "utf8");
  const heldOut = readFileSync(join(folder, "held-out.txt"), "utf8");
  expect(train.startsWith("In the beginning was verse 1 of 1A.\nIn the beginning was verse 2 of 1A.\n")).toBe(
    true,
  );
  expect(train.match(/\n\n/g)).toHaveLength(2 * 19);
  expect(train.endsWith("verse 40 of 19A.\n\n")).toBe(true);
  expect(heldOut.startsWith("In the beginning was verse 1 of 20A.\n")).toBe(true);
});

test.each([
  ["nothing", ""],
  ["a line that is no verse", "Ge1:1 In the beginning\nGenesis\n"],
])("%s is refused", (_, text) => {
  const { status, stderr } = run("text.py", [join(folder, "refused")], text);
  expect(status).toBe(1);
  expect(stderr).toMatch(/nothing was read|line 2 is no verse: 'Genesis'/);
});

test("what is saved is GPT-2's tensors in half precision, and a configuration that fits them", () => {
  const config = JSON.parse(readFileSync(join(folder, "model/config.json"), "utf8")) as { n_layer: number };
  const tensors = readSafetensors(readFileSync(join(folder, "model/model.safetensors")));
  expect(tensors.size).toBe(2 + 12 * config.n_layer + 2);
  expect(tensors.get("h.3.attn.c_attn.weight")).toMatchObject({ dtype: "F16", shape: [192, 576] });
  expect(tensors.get("wte.weight")?.shape).toEqual([3072, 192]);
  expect(trained).toContain("6 steps, 768 tokens; loss ");
});

test("a run that was killed goes on where it was, and ends with the same file in every bit", async () => {
  const again = join(folder, "again");
  mkdirSync(again);
  for (const name of ["train.npy", "held-out.npy"]) copyFileSync(join(folder, name), join(again, name));
  const args = [...arrays(again), join(again, "model"), ...STEPS];
  const child = ofTest(
    spawn(PYTHON, [join(EXAMPLE, "train.py"), ...args], { stdio: ["ignore", "pipe", "inherit"] }),
  );
  let seen = "";
  for await (const piece of child.stdout ?? []) {
    seen += String(piece);
    if (seen.includes("step 2:")) child.kill("SIGKILL");
  }
  expect(python("train.py", args)).toMatch(/^going on after step [246]$/m);
  const file = "model/model.safetensors";
  expect(readFileSync(join(again, file)).equals(readFileSync(join(folder, file)))).toBe(true);
  const { status, stderr } = run("train.py", [...args, "--seed", "1"]);
  expect(status).toBe(1);
  expect(stderr).toContain("of another run");
});

test("it goes on with a text: the likeliest tokens, or drawn ones, the same for the same seed", async () => {
  const prompt = join(folder, "prompt.npy");
  isotorch("encode", "In the beginning", "--vocab", join(folder, "model"), "--out", prompt);
  const sample = (...args: string[]): number[] =>
    python("sample.py", [join(folder, "model"), prompt, "--tokens", "5", ...args])
      .trim()
      .split(" ")
      .map(Number);
  const given = (await Tokenizer.load(join(folder, "model"))).encode("In the beginning");
  const greedy = sample("--temperature", "0");
  expect(greedy.slice(0, -5)).toEqual(given);
  expect(sample("--temperature", "0", "--seed", "3")).toEqual(greedy);
  const drawn = sample("--seed", "7");
  expect(sample("--seed", "7")).toEqual(drawn);
  expect(sample("--seed", "8")).not.toEqual(drawn);
});

/** As Debian's `bible` prints: 20 books of two chapters with 40 verses. */
function printed(): string {
  const lines: string[] = [];
  for (let book = 1; book <= 20; book++)
    for (const chapter of [1, 2])
      for (let verse = 1; verse <= 40; verse++)
        lines.push(`${letters(book)}${chapter}:${verse} In the  beginning was verse ${verse} of ${book}A.\n`);
  return lines.join("");
}

function letters(book: number): string {
  return `B${String.fromCodePoint(96 + book)}`;
}

function arrays(where: string): string[] {
  return ["train.npy", "held-out.npy"].map((name) => join(where, name));
}

function run(
  script: string,
  args: readonly string[],
  input = "",
): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(PYTHON, [join(EXAMPLE, script), ...args], { encoding: "utf8", input });
}

function python(script: string, args: readonly string[], input = ""): string {
  const { status, stdout, stderr } = run(script, args, input);
  expect(status, stderr).toBe(0);
  return stdout;
}

function isotorch(...args: string[]): void {
  const { status, stderr } = spawnSync(process.execPath, [CLI, "tokenizer", ...args], { encoding: "utf8" });
  expect(status, stderr).toBe(0);
}
