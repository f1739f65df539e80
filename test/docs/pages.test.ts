import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { exitCodeOf } from "../../src/cli/exit.ts";
import { ERROR_CODES, IsotorchError } from "../../src/base/errors.ts";
import { BLOCKS, PAGES, ROOT, textOf } from "./blocks.ts";

/** What is done with the blocks of each language; another language needs a decision, here. */
const CHECKED = new Set(["ts", "sh", "console", "powershell", "bat", "json", "text", "mermaid", ""]);

test("every code block is checked, or says why not", () => {
  const unknown = BLOCKS.filter(({ language, notRun }) => !CHECKED.has(language) && notRun === undefined);
  expect(unknown.map(({ place, language }) => `${place} ${language}`)).toEqual([]);
});

test("a reason for not running a block is a reason", () => {
  for (const { notRun, place } of BLOCKS)
    if (notRun !== undefined) expect(notRun.length, place).toBeGreaterThan(15);
});

test("JSON is JSON", () => {
  for (const { language, text, place, notRun } of BLOCKS)
    if (language === "json" && notRun === undefined)
      expect(() => JSON.parse(text) as unknown, place).not.toThrow();
});

/** As GitHub makes them from headings. */
function anchorsOf(page: string): string[] {
  return [...textOf(page).matchAll(/^#+ (.+)$/gm)].map(([, heading = ""]) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, "")
      .replaceAll(" ", "-"),
  );
}

test.each(PAGES)("the links of %s lead somewhere", (page) => {
  const links = [...textOf(page).matchAll(/\]\(([^)\s]+)\)/g)].map(([, link = ""]) => link);
  for (const link of links.filter((candidate) => !/^https?:/.test(candidate))) {
    const [path = "", anchor] = link.split("#");
    const target = path === "" ? page : join(dirname(page), path);
    expect(existsSync(join(ROOT, target)), `${page}: ${link}`).toBe(true);
    if (anchor !== undefined) expect(anchorsOf(target), `${page}: ${link}`).toContain(anchor);
  }
});

describe("docs/errors.md", () => {
  const page = textOf("docs/errors.md");
  const sections = new Map(
    page
      .split(/^### /m)
      .slice(1)
      .map((section) => [section.split("\n")[0]?.trim() ?? "", section] as const),
  );

  test("has every code once, and no other", () => {
    expect([...sections.keys()]).toEqual([...ERROR_CODES]);
    expect(page.match(/^### /gm)).toHaveLength(ERROR_CODES.length);
  });

  test.each(ERROR_CODES)(
    "says of %s what it means, with the exit code and the usual hint of the program",
    (code) => {
      const section = sections.get(code) ?? "";
      expect(section.replaceAll(/\s+/g, " ")).toContain(new IsotorchError(code, "x").hint);
      expect(section).toContain(`Exit code ${exitCodeOf(code)}.`);
      expect(section.length).toBeGreaterThan(150);
    },
  );
});
