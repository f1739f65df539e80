import { spawnSync } from "node:child_process";
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const LINTER = join(ROOT, "node_modules/oxlint/bin/oxlint");

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "rooms-test-"));
  copyFileSync(join(ROOT, ".oxlintrc.json"), join(folder, ".oxlintrc.json"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** What the linter says of a tree that has these files alone. */
function lint(files: Readonly<Record<string, string>>): string {
  rmSync(join(folder, "src"), { recursive: true, force: true });
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  return spawnSync(process.execPath, [LINTER], { cwd: folder, encoding: "utf8" }).stdout;
}

const VALUE = "export const value = 1;\n";

test.each([
  ["src/image/planted.ts", "../worker/pool.ts"],
  ["src/image/decode/planted.ts", "../../classification/options.ts"],
  ["src/base/files/planted.ts", "../../protocol/wire.ts"],
  ["src/worker/planted.ts", "../remote/pool.ts"],
  ["src/tasks/planted.ts", "../backend.ts"],
  ["src/image/planted.ts", "../tasks/decode.ts"],
  ["src/image/planted.ts", "../text/tokenizer.ts"],
  ["src/base/planted.ts", "../text/tokenizer.ts"],
  ["src/base/files/planted.ts", "../../text/tokenizer.ts"],
  ["src/text/planted.ts", "../image/png.ts"],
  ["src/text/planted.ts", "../worker/pool.ts"],
  ["src/backend.ts", "./worker/pool.ts"],
  ["src/parity/planted.ts", "../cli/exit.ts"],
])("an import against the direction is refused: %s of %s", (file, specifier) => {
  const target = join(dirname(file), specifier);
  expect(lint({ [file]: `export { value } from "${specifier}";\n`, [target]: VALUE })).toContain(
    "no-restricted-imports",
  );
  expect(
    lint({ [file]: `export type { Value } from "${specifier}";\n`, [target]: "export type Value = 1;\n" }),
  ).toContain("no-restricted-imports");
});

test("an import along the direction is not", () => {
  const files = {
    "src/worker/planted.ts": 'export { value } from "../image/decode/value.ts";\n',
    "src/image/decode/value.ts": VALUE,
    "src/base/files/planted.ts": 'export { value } from "../text/value.ts";\n',
    "src/base/text/value.ts": VALUE,
  };
  expect(lint(files)).not.toContain("no-restricted-imports");
});

test("a circle is refused, also one of types alone", () => {
  const circle = {
    "src/image/one.ts": 'import type { Two } from "./two.ts";\nexport type One = Two;\n',
    "src/image/two.ts": 'import type { One } from "./one.ts";\nexport type Two = { one?: One };\n',
  };
  expect(lint(circle)).toContain("no-cycle");
});

test("every room has its place in the order, and no folder has more than 14 files", () => {
  const rooms = readdirSync(join(ROOT, "src"), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name);
  const { overrides } = JSON.parse(readFileSync(join(ROOT, ".oxlintrc.json"), "utf8")) as {
    overrides: { files: string[] }[];
  };
  const placed = overrides.flatMap(({ files }) => files.map((file) => file.split("/")[1]));
  // The last room may import all others.
  expect(rooms.filter((room) => !placed.includes(room))).toEqual(["cli"]);

  const folders = countFiles(join(ROOT, "src"));
  expect(Object.entries(folders).filter(([, count]) => count > 14)).toEqual([]);
});

function countFiles(place: string): Record<string, number> {
  const entries = readdirSync(place, { withFileTypes: true });
  const inside = entries
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => countFiles(join(place, name)));
  const here = entries.filter((entry) => entry.isFile() && entry.name.endsWith(".ts")).length;
  return Object.assign({ [place]: here }, ...inside) as Record<string, number>;
}
