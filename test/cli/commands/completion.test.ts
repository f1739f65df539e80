/** The scripts are sourced in the shells themselves; a shell that is not installed is skipped by name. */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { completionFor } from "../../../src/cli/commands/completion.ts";
import { COMMANDS, DESCRIBED } from "../../../src/cli/registry.ts";
import { SHELLS } from "../../../src/cli/describe/completion.ts";
import { flagsOf } from "../../../src/cli/flags/description.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "completion-test-"));
  mkdirSync(join(folder, "a folder"));
  writeFileSync(join(folder, "photo one.jpg"), "");
  for (const name of SHELLS) writeFileSync(join(folder, `isotorch.${name}`), completionFor(name, DESCRIBED));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function shell(file: string, args: readonly string[]): string[] {
  const run = spawnSync(file, args, { cwd: folder, encoding: "utf8", timeout: 200_000 });
  expect(run.stderr, file).toBe("");
  return run.stdout.split("\n").filter((line) => line !== "");
}

const isHere = (file: string): boolean => spawnSync(file, ["-c", "true"]).status === 0;
const NAMES = Object.keys(COMMANDS);

/** What bash would offer for a line whose last word is being completed. */
function inBash(...words: readonly string[]): string[] {
  const script = `source ./isotorch.bash; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _isotorch 2>&1 | cat; _isotorch; printf '%s\\n' "\${COMPREPLY[@]}"`;
  return shell("bash", ["--norc", "-c", script, "bash", "isotorch", ...words]);
}

describe.skipIf(!isHere("bash"))("bash offers", () => {
  test("the commands first", () => {
    expect(inBash("")).toEqual([...NAMES, "--help", "--version"]);
    expect(inBash("cla")).toEqual(["classify"]);
    expect(inBash("--v")).toEqual(["--version"]);
  });

  test("a command's own flags, all of them", () => {
    const [description] = COMMANDS["classify"]!;
    const flags = Object.keys(flagsOf(description)).map((flag) => `--${flag}`);
    expect(inBash("classify", "--")).toEqual([...flags, "--help"]);
    expect(inBash("manifest", "--")).toEqual(["--json", "--help"]);
  });

  test("the values of a flag, and a command's own words", () => {
    expect(inBash("classify", "x.jpg", "--format", "")).toEqual(["table", "jsonl", "csv", "tsv"]);
    expect(inBash("parity", "--handoff", "a")).toEqual(["all"]);
    expect(inBash("models", "p")).toEqual(["pull"]);
    expect(inBash("completion", "")).toEqual([...SHELLS]);
  });

  test("nothing of its own where a file belongs: bash then offers files", () => {
    expect(inBash("classify", "pho")).toEqual([]);
    expect(inBash("classify", "--labels", "")).toEqual([]);
    expect(completionFor("bash", DESCRIBED)).toContain("complete -o default -F _isotorch isotorch");
  });
});

describe.skipIf(!isHere("fish"))("fish offers", () => {
  const inFish = (line: string): string[] =>
    shell("fish", ["--no-config", "-c", `source isotorch.fish; complete -C '${line}'`]).map(
      (found) => found.split("\t")[0] ?? "",
    );

  test("commands, flags, values, words and files", () => {
    expect(inFish("isotorch ")).toEqual(expect.arrayContaining(NAMES));
    expect(inFish("isotorch cla")).toEqual(["classify"]);
    expect(inFish("isotorch classify --form")).toEqual(["--format"]);
    expect(inFish("isotorch classify --format ").toSorted()).toEqual(["csv", "jsonl", "table", "tsv"]);
    expect(inFish("isotorch models ").toSorted()).toEqual(["list", "make", "pull"]);
    expect(inFish("isotorch classify pho")).toEqual(["photo one.jpg"]);
    expect(inFish("isotorch classify --watch ")).toEqual(["a folder/"]);
    expect(inFish("isotorch classify --top-k ")).toEqual([]);
  });
});

describe.skipIf(!isHere("zsh"))("zsh offers", () => {
  // zsh completes only at a prompt: one is opened in a terminal of its own, and its screen is read.
  const inZsh = (line: string): string => {
    const script = `
      zmodload zsh/zpty
      zpty -b z zsh -f -i
      zpty -w z "PS1=; autoload -U compinit; compinit -u -d ./dump; source ./isotorch.zsh; zstyle ':completion:*' list-prompt ''; setopt nobeep; LISTMAX=0; COLUMNS=200; echo re''ady"
      local got="" all=""
      repeat 100 { zpty -r -t z got && all+="$got"; [[ "$all" == *ready* ]] && break; sleep 0.1 }
      zpty -w -n z "$1"$'\\t'
      all=""
      repeat 8 { while zpty -r -t z got; do all+="$got"; done; sleep 0.1 }
      zpty -d z
      print -r -- "$all"`;
    return stripVTControlCharacters(shell("zsh", ["-f", "-c", script, "zsh", line]).join("\n"));
  };

  test("commands and flags", () => {
    expect(inZsh("isotorch classi")).toContain("isotorch classify ");
    expect(inZsh("isotorch classify --form")).toContain("isotorch classify --format ");
  });

  test("values, a command's own words, and files", () => {
    const values = inZsh("isotorch classify --format ");
    for (const value of ["table", "jsonl", "csv", "tsv"]) expect(values).toContain(value);
    expect(inZsh("isotorch models pu")).toContain("isotorch models pull ");
    expect(inZsh("isotorch classify pho")).toContain("photo\\ one.jpg");
  });
});

test("PowerShell's script has every command and flag, its quotes balanced", () => {
  const script = completionFor("powershell", DESCRIBED);
  for (const [name, [description]] of Object.entries(COMMANDS)) {
    const line = script
      .split("\n")
      .find(
        (text) => text.startsWith(`    '${name}' = @('--`) || text.startsWith(`    '${name}' = @('--help'`),
      );
    for (const flag of Object.keys(flagsOf(description))) expect(line, name).toContain(`'--${flag}'`);
  }
  for (const line of script.split("\n")) expect((line.match(/'/g) ?? []).length % 2, line).toBe(0);
});
