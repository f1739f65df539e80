/** Every command line of the documentation is one that exists: isotorch's own by its description, others by what is in the repository. */
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { parseArgs } from "node:util";
import { describe, expect, test } from "vitest";
import { modelsMatching } from "../../src/checkpoints/choose.ts";
import { COMMANDS } from "../../src/cli/registry.ts";
import { flagsOf, parserOf } from "../../src/cli/flags/description.ts";
import { BLOCKS, ROOT, textOf } from "./blocks.ts";
import type { Block } from "./blocks.ts";

const { scripts } = JSON.parse(readFileSync(`${ROOT}package.json`, "utf8")) as {
  scripts: Record<string, string>;
};

/** Commands of others, of which no flag is checked here. */
const OTHERS = new Set(
  "cat cd conda mamba micromamba curl find git head mkdir node python python3 pip apt-get sudo bash tee xargs export set unset nvidia-smi Out-String Invoke-Expression".split(
    " ",
  ),
);

/** The command lines of a block; in a transcript with prompts they are those after one. */
function linesOf({ language, text }: Block): string[] {
  const joined = text.replaceAll(/ \\\n\s*/g, " ");
  const lines = joined.split("\n").filter((line) => line.trim() !== "" && !line.trim().startsWith("#"));
  if (language !== "console") return lines;
  const prompted = lines.flatMap((line) => /^\$ (.+)/.exec(line)?.[1] ?? []);
  return prompted.length > 0 ? prompted : lines;
}

/** Words as a shell takes them: quotes taken off, comments left out, a pipe or a redirection as a word of its own. */
function wordsOf(line: string): string[] {
  const words = line.matchAll(/"([^"]*)"|'([^']*)'|(#.*$)|([|&;<>]+)|([^\s|&;<>"']+)/g);
  return [...words]
    .filter(([, , , comment]) => comment === undefined)
    .map(([word, double, single]) => double ?? single ?? word);
}

function checkLine(line: string): void {
  const parts: string[][] = [[]];
  for (const word of wordsOf(line)) {
    if (/^(\|+|&&|;)$/.test(word)) parts.push([]);
    else parts.at(-1)?.push(word);
  }
  for (const part of parts) checkCommand(part);
}

function checkCommand(all: readonly string[]): void {
  const redirected = all.findIndex((word) => /^[<>]+$/.test(word));
  const words = redirected === -1 ? all : all.slice(0, redirected);
  // Variables set for one command.
  const [name = "", ...rest] = words.slice(words.findIndex((word) => !/^[A-Z_]+=/.test(word)));
  if (name === "eval") return checkLine(/\$\((.+)\)/.exec(rest.join(" "))?.[1] ?? "nothing");
  if (name === "isotorch") return checkIsotorch(rest);
  if (name === "npx" && rest[0] === "isotorch") return checkIsotorch(rest.slice(1));
  if (name === "npm" && rest[0] === "run") return expect(Object.keys(scripts)).toContain(rest[1]);
  if (name === "npm")
    return expect(["test", "install", "i", "ci", "config", "pack", "audit", "sbom"]).toContain(rest[0]);
  expect([...OTHERS]).toContain(name);
  const script = /^(node|bash|python3?)$/.test(name)
    ? rest.find((word) => /\.(mjs|py)$|^\.ci\//.test(word))
    : undefined;
  if (script !== undefined && script.includes("/")) expect(existsSync(`${ROOT}${script}`), script).toBe(true);
}

function checkIsotorch([name = "", ...args]: readonly string[]): void {
  if (name === "--version" || name === "--help") return;
  expect(Object.keys(COMMANDS)).toContain(name);
  const [description] = COMMANDS[name]!;
  const options = { ...parserOf(description), help: { type: "boolean" as const } };
  const { positionals } = parseArgs({ args, options, strict: true, allowPositionals: true });
  for (const [flag, { choices }] of Object.entries(flagsOf(description))) {
    if (
      choices === undefined ||
      ["model", "weights", "transforms", "device", "against", "include"].includes(flag)
    )
      continue;
    const at = args.indexOf(`--${flag}`);
    if (at !== -1) expect(choices, `--${flag}`).toContain(args[at + 1]);
  }
  const [first] = positionals;
  if (description.actions === undefined || first === undefined || description.actions.includes(first)) return;
  // Where its first word is no action it is a pattern of models.
  expect(name, first).toBe("models");
  expect(modelsMatching(positionals).length).toBeGreaterThan(0);
}

describe("the command lines are good in", () => {
  const shells = BLOCKS.filter(({ language }) => /^(sh|console|powershell|bat)$/.test(language));
  test.each(shells.map((block) => [block.place, block] as const))("%s", (_, block) => {
    const lines = linesOf(block);
    expect(lines.length).toBeGreaterThan(0);
    for (const line of lines) expect(() => checkLine(line), line).not.toThrow();
  });

  test("the examples of each command's help", () => {
    for (const [, [{ examples }]] of Object.entries(COMMANDS))
      for (const example of examples) expect(() => checkLine(example), example).not.toThrow();
  });
});

test("the workflows call scripts that exist", () => {
  for (const name of readdirSync(`${ROOT}.github/workflows`)) {
    const text = readFileSync(`${ROOT}.github/workflows/${name}`, "utf8");
    const lines = [...text.matchAll(/\b(npm run [\w:]+|bash \S+)/g)].map(([line]) => line);
    expect(lines.length).toBeGreaterThan(0);
    for (const line of lines) expect(() => checkLine(line), line).not.toThrow();
  }
});

test("a wrong flag, command, value or script would be seen", () => {
  const wrong = [
    "isotorch classify --jsn",
    "isotorch clasify",
    "npx isotorch classify a.jpg --format xml",
    "npm run nothing",
    "rm -rf /",
    "node scripts/nothing.mjs",
    "cat x.jpg | isotorch classify - --no-such",
  ];
  for (const line of wrong) expect(() => checkLine(line), line).toThrow();
});

test.each(["README.md", "README.zh.md"])("the table of commands in %s has all of them", (page) => {
  const named = [...textOf(page).matchAll(/^\| `([a-z]+)` /gm)].map(([, name]) => name);
  const commands = new Set(named.filter((name) => name !== undefined && name in COMMANDS));
  expect(commands).toEqual(new Set(Object.keys(COMMANDS)));
});
