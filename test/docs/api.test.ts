import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { textOf } from "./blocks.ts";

test("docs/api.md is what `npm run docs:api` would write", async () => {
  const module = "../../scripts/write-api.mjs";
  const { apiPage } = (await import(module)) as { apiPage: () => string };
  expect(textOf("docs/api.md")).toBe(apiPage());
});

test("it has everything that is exported, each thing with what it is for", () => {
  const page = textOf("docs/api.md");
  for (const entry of ["index", "testing", "tokenizer"]) {
    const source = readFileSync(new URL(`../../src/${entry}.ts`, import.meta.url), "utf8");
    const names = [...source.matchAll(/\{([^}]*)\} from/g)].flatMap(
      ([, list = ""]) => list.match(/\w+/g) ?? [],
    );
    expect(names.length).toBeGreaterThan(4);
    for (const name of names) expect(page).toMatch(new RegExp(`^### ${name}\\n`, "m"));
  }
  for (const section of page.split(/^### /m).slice(1))
    expect(section).toMatch(/```ts\n(function|class|interface|type|const) /);
});
