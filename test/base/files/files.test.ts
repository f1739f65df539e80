import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { removeFile, replaceFile, untilFree, writeJson, writeWhole } from "../../../src/base/files/files.ts";

let root = "";
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "files-"));
});
afterEach(async () => rm(root, { recursive: true, force: true }));

/** Fails so many times as Windows does while a scanner holds the file. */
function held(times: number, code: string): { action: () => Promise<string>; attempts: () => number } {
  let attempts = 0;
  const action = async (): Promise<string> => {
    attempts += 1;
    if (attempts <= times) throw Object.assign(new Error("held"), { code });
    return "done";
  };
  return { action, attempts: () => attempts };
}

describe("a file that somebody else holds", () => {
  test.each(["EPERM", "EACCES", "EBUSY"])("%s: is tried again until it is free", async (code) => {
    const { action, attempts } = held(3, code);
    expect(await untilFree(join(root, "a"), action)).toBe("done");
    expect(attempts()).toBe(4);
  });

  test("and not for ever: the system's error is what is told", async () => {
    const { action, attempts } = held(Number.POSITIVE_INFINITY, "EBUSY");
    await expect(untilFree(join(root, "a"), action, { patienceMs: 50 })).rejects.toThrow("held");
    expect(attempts()).toBeGreaterThan(1);
  });

  test.each([
    ["another error", "ENOSPC", "a"],
    ["a directory in the way", "EPERM", "."],
    ["a directory that is not there", "EPERM", "gone/a"],
  ])("%s is not waited for", async (_name, code, file) => {
    const { action, attempts } = held(1, code);
    await expect(untilFree(join(root, file), action)).rejects.toMatchObject({ code });
    expect(attempts()).toBe(1);
  });
});

test("a file takes another one's place, and a file that is gone is removed", async () => {
  const [from, to] = [join(root, "new"), join(root, "old")];
  await writeFile(from, "new");
  await writeFile(to, "old");
  await replaceFile(from, to);
  expect(await readFile(to, "utf8")).toBe("new");
  await removeFile(to);
  await removeFile(to);
  expect(await readdir(root)).toEqual([]);
});

test("what is written whole leaves nothing beside it, also where it cannot be written", async () => {
  await writeJson(join(root, "made", "a.json"), { a: 1 });
  expect(await readFile(join(root, "made", "a.json"), "utf8")).toBe('{\n  "a": 1\n}\n');
  expect(await readdir(join(root, "made"))).toEqual(["a.json"]);
  await expect(writeWhole(join(root, "made"), "x")).rejects.toMatchObject({ code: "EISDIR" });
  expect(await readdir(root)).toEqual(["made"]);
});
