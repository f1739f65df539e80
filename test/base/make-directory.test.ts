import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { makeDirectory } from "../../src/base/files/files.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "isotorch-make-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test("a directory is made with those above it, by several at once, and may be there already", async () => {
  const deep = join(folder, "a", "b", "c");
  await Promise.all([deep, deep, join(folder, "a", "b")].map(makeDirectory));
  await makeDirectory(deep);
  expect(statSync(deep).isDirectory()).toBe(true);
});

test("a file in the way is told", async () => {
  writeFileSync(join(folder, "file"), "");
  await expect(makeDirectory(join(folder, "file"))).rejects.toMatchObject({ code: "EEXIST" });
  await expect(makeDirectory(join(folder, "file", "below"))).rejects.toMatchObject({ code: "ENOTDIR" });
});

test.runIf(process.platform === "linux")("a directory that /proc does not have is refused", async () => {
  await expect(makeDirectory("/proc/isotorch-test/below")).rejects.toMatchObject({ code: "ENOENT" });
});
