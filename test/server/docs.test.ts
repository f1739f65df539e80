/** The examples of docs/server.md, as they stand there. */
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { STATUS } from "../../src/server/problem.ts";
import { createFakeGenerator } from "../../src/testing.ts";
import { JPEG, TOKEN, closing, serve } from "./serve.ts";

const DOCS = readFileSync(new URL("../../docs/server.md", import.meta.url), "utf8");

test("the curl lines work", async () => {
  const lines = DOCS.split("\n").filter((line) => line.startsWith("curl "));
  expect(lines).toHaveLength(8);
  const { url } = await serve({ generator: closing(await createFakeGenerator(() => " was found")) });
  const cwd = mkdtempSync(join(tmpdir(), "server-docs-"));
  writeFileSync(join(cwd, "dog.jpg"), JPEG);
  const env = { ...process.env, URL: url, TOKEN };
  try {
    for (const line of lines) {
      // A refusal would be an exit code.
      const { stdout } = await promisify(execFile)("sh", ["-c", line.replace("curl", "curl -sS --fail")], {
        cwd,
        env,
      });
      expect([line, stdout]).toEqual([line, expect.stringMatching(/^(?:\{.*\}|# HELP isotorch[\s\S]*)$/)]);
    }
  } finally {
    rmSync(cwd, { recursive: true, force: true });
  }
});

test("the table of errors is the table of the code", () => {
  const rows = [...DOCS.matchAll(/^\| (\d{3}) +\| (.*?) +\|$/gm)];
  expect(rows.length).toBeGreaterThan(10);
  for (const [, status = "", codes = ""] of rows) {
    for (const [, code = ""] of codes.matchAll(/`([A-Z_]+)`/g)) {
      if (code in STATUS) expect([code, STATUS[code as keyof typeof STATUS]]).toEqual([code, Number(status)]);
    }
  }
  const told = rows.map(([, , codes]) => codes).join();
  for (const [code, status] of Object.entries(STATUS)) {
    if (status !== 500) expect(told).toContain(`\`${code}\``);
  }
});
