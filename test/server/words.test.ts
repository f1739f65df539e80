/** The page's words: both languages have the same, and the Chinese page has a sentence for every error. */
import { expect, test, vi } from "vitest";
import { ERROR_CODES } from "../../src/base/errors.ts";
import { HTTP_CODES } from "../../src/server/problem.ts";

/** Nothing of the page but its words, as they are in a browser that remembers `language`. */
async function wordsIn(language: string): Promise<Record<string, unknown>> {
  vi.resetModules();
  vi.stubGlobal("localStorage", { getItem: () => language });
  const page = "../../src/server/page/words.js";
  const { words } = (await import(/* @vite-ignore */ page)) as { words: () => Record<string, unknown> };
  return words();
}

/** Where in `words` something stands, errors apart: English says what the server says. */
function placesIn(words: Record<string, unknown>): string[] {
  return Object.entries(words).flatMap(([name, value]) => {
    if (name === "errors") return [];
    return typeof value === "object" && value !== null
      ? placesIn(value as Record<string, unknown>).map((inner) => `${name}.${inner}`)
      : [`${name}: ${typeof value}`];
  });
}

test("both languages have the same words", async () => {
  expect(placesIn(await wordsIn("zh"))).toEqual(placesIn(await wordsIn("en")));
});

test("every error that a server may tell has a Chinese sentence, and no other has one", async () => {
  const { errors } = (await wordsIn("zh")) as { errors: Record<string, string> };
  const codes = [...ERROR_CODES, ...Object.keys(HTTP_CODES), "UNREACHABLE"];
  expect(Object.keys(errors).toSorted()).toEqual(codes.toSorted());
  for (const sentence of Object.values(errors)) expect(sentence).toMatch(/\p{Script=Han}.*。$/u);
});
