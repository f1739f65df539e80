import { describe, expect, test } from "vitest";
import { requireNode } from "../../src/base/host.ts";
import { isotorch } from "../hosts/cli.ts";
import { ran } from "../processes.ts";

const node = { node: "22.0.0" };

test("Node.js is what this runs on, and Electron is one", () => {
  requireNode();
  requireNode({ versions: { ...node, electron: "40.0.0" } });
});

test.each([
  ["Bun 1.4.5", { versions: { ...node, bun: "1.4.5" } }],
  ["Deno 2.5.0", { versions: { ...node, deno: "2.5.0" } }],
  ["Deno 2.5.0", { versions: node, Deno: { version: { deno: "2.5.0" } } }],
  ["Deno", { versions: node, Deno: {} }],
])("%s is told so", (name, host) => {
  expect(() => requireNode(host)).toThrow(`This is ${name}, and isotorch runs on Node.js only.`);
});

describe.each(["bun", "deno"])("before any native library is loaded, %s is told by", (name) => {
  test("the command, which ends with 3", async () => {
    const { code, stdout, stderr } = await isotorch(["--version"], {}, `as-${name}.mjs`);
    expect([code, stdout]).toEqual([3, ""]);
    expect(stderr).toMatch(
      /^isotorch: ENVIRONMENT_BROKEN: This is (?:Bun|Deno) [\d.]+, and isotorch runs on Node\.js only\.\n/,
    );
  });

  test.each(["index", "server", "testing"])("the import of %s", async (entry) => {
    const program = `
      const error = await import(${JSON.stringify(new URL(`../../dist/${entry}.js`, import.meta.url).href)}).then(() => undefined, (reason) => reason);
      const loaded = process.report.getReport().sharedObjects.filter((file) => file.endsWith(".node"));
      console.log(error?.name, error?.code, loaded.length);`;
    const preload = new URL(`../fixtures/hosts/as-${name}.mjs`, import.meta.url).href;
    const args = ["--import", preload, "--input-type=module", "-e", program];
    const { stdout } = await ran(process.execPath, args);
    expect(stdout).toBe("IsotorchError ENVIRONMENT_BROKEN 0\n");
  });
});
