/** No regular expression of the source takes more than linear time, whatever text it is given. */
import { TABLE } from "../../src/protocol/table.ts";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { findAttack } from "./attacks.ts";
import type { Finding } from "./attacks.ts";
import { ofPython, ofScript, ofScripts } from "./extract.ts";
import type { Expression } from "./extract.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const SCRIPTS = ofScripts(ROOT, "src");

describe("the search finds", () => {
  test.each([
    ["a loop in a loop", "^(a+)+$", ""],
    ["two ways through one loop", "^(?:a|aa)+$", ""],
    ["a class that takes what the loop around it takes", String.raw`^(?:[\s\uFEFF]|#[^\n]*)+x`, ""],
    ["two loops beside each other", String.raw`^\s*,?\s*$`, ""],
    ["a loop that is begun at every place", String.raw`\s+$`, ""],
    ["a comment that is never closed, begun at every place", "<!--[^]*?-->", ""],
    ["comments one after the other, each of which may go on", "^(?:\\s|<!--[^]*?-->)*<svg", "i"],
    ["a quote that is never closed", String.raw`"(?:[^"\\]|\\.)*"`, ""],
    ["a loop that a lookahead has", String.raw`(?=\d+x)\d`, ""],
    ["a lazy loop", "a.*?b.*?c", "s"],
  ])("%s", (_what, source, flags) => {
    expect(findAttack(source, flags)).toBeDefined();
  });

  test.each([
    ["one loop from the start", "^a*$", ""],
    ["a loop at its place", String.raw`\s*,`, "y"],
    ["what has a limit", "a{1,8}b", ""],
    ["words", String.raw`^[\w.:-]{1,128}$`, ""],
    ["a list", String.raw`^\d+(?:,\d+)*$`, ""],
  ])("nothing in %s", (_what, source, flags) => {
    expect(findAttack(source, flags)).toBeUndefined();
  });

  test("every form in which the source may have them", () => {
    const { literal, composed } = ofScript(
      "x.ts",
      "const a: RegExp = /a+$/g;\nnew RegExp(`b${a}`); RegExp('c');",
    );
    expect(literal).toEqual([{ place: "x.ts:1", source: "a+$", flags: "g" }]);
    expect(composed.map(({ place }) => place)).toEqual(["x.ts:2", "x.ts:2"]);
  });
});

/** What a kind of text of the protocol has to match, as a whole. */
const PATTERNS = Object.values(TABLE.kinds).flatMap((kind) =>
  "text" in kind && kind.text.pattern !== undefined ? [[`^(?:${kind.text.pattern})$`, ""] as const] : [],
);

/** Those that are put together: with what they are made of. */
const COMPOSED: Readonly<Record<string, readonly (readonly [source: string, flags: string])[]>> = {
  [String.raw`src/protocol/schema.ts new RegExp(${"`"}^(?:${"$"}{pattern})$${"`"})`]: PATTERNS,
  [String.raw`src/setup/progress.ts new RegExp(${"`"}${"$"}{String.fromCodePoint(27)}\\[[0-9;?]*[A-Za-z]${"`"}, "g")`]:
    [["\\x1b\\[[0-9;?]*[A-Za-z]", "g"]],
  [String.raw`src/worker/channel.ts new RegExp(${"`"}^${"$"}{DIRECTORY_PREFIX}(\\d+)-\\w{6}$${"`"})`]: [
    [String.raw`^isotorch-(\d+)-\w{6}$`, ""],
  ],
  "python/isotorch_worker/protocol/schema.py pattern": PATTERNS,
};

/** Many stand in several places. */
const found = new Map<string, Finding | undefined>();

function remarks(expressions: readonly Expression[]): string[] {
  return expressions.flatMap(({ place, source, flags }) => {
    const key = `${flags}/${source}`;
    if (!found.has(key)) found.set(key, findAttack(source, flags));
    const finding = found.get(key);
    return finding === undefined ? [] : [`${place} /${source}/${flags} ${JSON.stringify(finding)}`];
  });
}

describe("every expression of TypeScript and of the page is linear", () => {
  const roomOf = ({ place }: Expression): string => place.split(/[/:]/)[1] ?? "";
  // Each for itself: all of them at once are a long time on a busy machine.
  test.each([...new Set(SCRIPTS.literal.map(roomOf))])("in src/%s", (room) => {
    expect(remarks(SCRIPTS.literal.filter((expression) => roomOf(expression) === room))).toEqual([]);
  });

  test("of which there are some hundreds", () => {
    expect(SCRIPTS.literal.length).toBeGreaterThan(250);
  });
});

test("every expression of Python is linear", () => {
  const { literal } = ofPython(ROOT, "python/**/*.py");
  expect(literal.length).toBeGreaterThan(20);
  expect(remarks(literal)).toEqual([]);
});

test("those that are put together while the program runs are on the list here, with what they are made of", () => {
  const { composed } = SCRIPTS;
  const python = ofPython(ROOT, "python/**/*.py").composed;
  expect([...composed, ...python].map(({ place, text }) => `${place.replace(/:\d+$/, "")} ${text}`)).toEqual(
    Object.keys(COMPOSED),
  );
  for (const [text, made] of Object.entries(COMPOSED))
    for (const [source, flags] of made) expect(findAttack(source, flags), text).toBeUndefined();
});
