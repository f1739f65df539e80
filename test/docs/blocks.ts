/** The code blocks of the documentation. */
import { readFileSync, readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";

export const ROOT: string = fileURLToPath(new URL("../..", import.meta.url));

export interface Block {
  /** Page and line, as an editor takes them. */
  readonly place: string;
  readonly page: string;
  readonly language: string;
  /** The name of the file that it would be. */
  readonly title: string | undefined;
  readonly text: string;
  /** Why it is not run: `<!-- not run: REASON -->` stands before it. */
  readonly notRun: string | undefined;
}

/** Every page; `CHANGELOG.md` has no samples. */
export const PAGES: readonly string[] = [
  ...readdirSync(ROOT).filter((name) => name.endsWith(".md") && name !== "CHANGELOG.md"),
  ...readdirSync(`${ROOT}docs`)
    .filter((name) => name.endsWith(".md"))
    .map((name) => `docs/${name}`),
];

export function textOf(page: string): string {
  return readFileSync(`${ROOT}${page}`, "utf8");
}

export const BLOCKS: readonly Block[] = PAGES.flatMap(blocksOf);

function blocksOf(page: string): Block[] {
  const text = textOf(page);
  const fences = text.matchAll(
    /^(?:<!-- not run: (.+?) -->\n+)?^```(\S*)(?: title="(.+?)")?\n([\s\S]*?)^```$/gm,
  );
  return [...fences].map((found) => {
    const [, notRun, language = "", title, code = ""] = found;
    const line = text.slice(0, found.index).split("\n").length;
    return { place: `${page}:${line}`, page, language, title, text: code, notRun };
  });
}
