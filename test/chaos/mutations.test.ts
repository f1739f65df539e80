import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
// @ts-expect-error -- a script without types
import { MUTATIONS as LISTED } from "../../scripts/chaos/mutations.mjs";

const MUTATIONS = LISTED as readonly { name: string; file: string; find: string }[];

test("what `npm run mutants` takes out stands exactly once where it looks for it", () => {
  const missed = MUTATIONS.filter(
    ({ file, find }) => readFileSync(file, "utf8").split(find).length !== 2,
  ).map(({ name, file }) => `${name}: ${file}`);
  expect(missed).toEqual([]);
});
