/** `isotorch/tokenizer` in browsers: nothing of Node is imported, and nothing of it is needed. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const ENTRY = new URL("../../dist/tokenizer.js", import.meta.url);

/** Every file that is imported from here on, with what it imports. */
function importsFrom(file: URL, found = new Map<string, string[]>()): Map<string, string[]> {
  if (found.has(file.href)) return found;
  const text = readFileSync(file, "utf8").replaceAll(/^ *(?:\/\*)?\*.*$/gm, "");
  const names = [...text.matchAll(/(?:from|import) ?\(?"([^"]+)"/g)].map(([, name = ""]) => name);
  found.set(file.href, names);
  for (const name of names) if (name.startsWith(".")) importsFrom(new URL(name, file), found);
  return found;
}

test("no file that it imports imports anything but files of its own", () => {
  const imports = importsFrom(ENTRY);
  expect(imports.size).toBeGreaterThan(12);
  expect([...imports.values()].flat().filter((name) => !name.startsWith("."))).toEqual([]);
});

test("it works where there is no `process`, no `Buffer` and no `require`, and says so where a file is needed", () => {
  const program = `
    delete globalThis.process; delete globalThis.Buffer; delete globalThis.require;
    const { Tokenizer } = await import(${JSON.stringify(ENTRY.href)});
    const trained = Tokenizer.train("the cat the hat", { vocabSize: 260 });
    const again = Tokenizer.from(JSON.parse(JSON.stringify(trained)));
    const codes = [() => Tokenizer.gpt2(), () => again.encode("\\ud800"), () => again.decode([999])].map((call) => {
      try { call(); } catch ({ code, hint }) { return [code, typeof hint]; }
    });
    const files = await Promise.all([Tokenizer.load("x"), again.save("x")].map((call) => call.catch(({ code }) => code)));
    console.log(JSON.stringify({ codes, files, text: again.decode(again.encode("the hat 文")) }));`;
  const args = ["--input-type=module", "-e", program];
  const { stdout, stderr, status } = spawnSync(process.execPath, args, { encoding: "utf8" });
  expect(status, stderr).toBe(0);
  expect(JSON.parse(stdout)).toEqual({
    codes: [
      ["ENVIRONMENT_BROKEN", "string"],
      ["INVALID_INPUT", "string"],
      ["INVALID_INPUT", "string"],
    ],
    files: ["ENVIRONMENT_BROKEN", "ENVIRONMENT_BROKEN"],
    text: "the hat 文",
  });
});

test("a bundler makes one file of it for browsers", async () => {
  const { build } = await import("vite");
  const output = await build({
    configFile: false,
    logLevel: "silent",
    build: { write: false, lib: { entry: fileURLToPath(ENTRY), formats: ["es"] } },
  });
  const [chunk] = [output].flat().flatMap((made) => ("output" in made ? made.output : []));
  const code = chunk !== undefined && "code" in chunk ? chunk.code : "";
  expect(code).toContain("tokenizer.json");
  expect(code).not.toMatch(/from ?"node:|import ?"node:|require\(|__vite-browser-external/);
});
