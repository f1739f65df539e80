/** The shape of every error, wherever its words come from. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { ERROR_CODES, IsotorchError } from "../../src/base/errors.ts";

const SOURCE = fileURLToPath(new URL("../../src", import.meta.url));

const hintOf = (hint: string): string => new IsotorchError("INVALID_OPTION", "x", { hint }).hint;

test("a hint begins with a capital, and a command stays as it is typed", () => {
  expect(hintOf("check the path")).toBe("Check the path");
  expect(hintOf("isotorch classify dog.jpg")).toBe("isotorch classify dog.jpg");
  expect(hintOf("`--help` has examples")).toBe("`--help` has examples");
});

test("so does the usual hint of each code, which is a sentence", () => {
  for (const code of ERROR_CODES)
    expect(new IsotorchError(code, "x").hint, code).toMatch(/^(?:[A-Z`'"].*\.|`.*`.*\.)$/s);
});

test("and each that stands in the source", () => {
  const files = readdirSync(SOURCE, { recursive: true, encoding: "utf8" }).filter((name) =>
    name.endsWith(".ts"),
  );
  const hints = files.flatMap((name) =>
    [...readFileSync(join(SOURCE, name), "utf8").matchAll(/hint: "([^"]+ [^"]+)"/g)].map(
      ([, hint = ""]) => hint,
    ),
  );
  expect(hints.length).toBeGreaterThan(50);
  for (const hint of hints)
    expect(hintOf(hint), hint).toMatch(/^(?:[A-Z`'"(<-]|(?:isotorch|npx|npm|conda|pip|sudo) |docs\/)/);
});
