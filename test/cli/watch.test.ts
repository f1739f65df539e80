import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { watchFolder } from "../../src/cli/watch.ts";
import { codeOf } from "../failure.ts";

let folder: string;
let stop: AbortController;
let heard: string[];
let watching: Promise<void>;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "watch-test-"));
  writeFileSync(join(folder, "old.jpg"), "old");
  stop = new AbortController();
  heard = [];
});
afterEach(async () => {
  stop.abort();
  await watching;
  rmSync(folder, { recursive: true, force: true });
});

function listen(settledMs: number): void {
  const coming = watchFolder(folder, stop.signal, { settledMs });
  watching = (async () => {
    for await (const path of coming) heard.push(basename(path));
  })();
}

test("a file comes once, when it has been written whole; what was there and what is no picture does not", async () => {
  listen(300);
  writeFileSync(join(folder, "slow.jpg"), "");
  writeFileSync(join(folder, "notes.txt"), "no picture");
  for (let at = 0; at < 6; at++) {
    appendFileSync(join(folder, "slow.jpg"), "x");
    await pause(100);
    expect(heard).toEqual([]);
  }
  await expect.poll(() => heard, { timeout: 5_000 }).toEqual(["slow.jpg"]);
  const now = new Date();
  utimesSync(join(folder, "notes.txt"), now, now);
  await pause(400);
  expect(heard).toEqual(["slow.jpg"]);
});

test("a file that is moved in comes, and one that is written again comes again", async () => {
  listen(50);
  const outside = mkdtempSync(join(tmpdir(), "watch-outside-"));
  writeFileSync(join(outside, "moved.png"), "whole");
  renameSync(join(outside, "moved.png"), join(folder, "moved.png"));
  rmSync(outside, { recursive: true });
  await expect.poll(() => heard, { timeout: 5_000 }).toEqual(["moved.png"]);
  writeFileSync(join(folder, "moved.png"), "another");
  await expect.poll(() => heard, { timeout: 5_000 }).toEqual(["moved.png", "moved.png"]);
});

test("many at once all come, and a file that is gone again does not", async () => {
  listen(50);
  const names = Array.from({ length: 200 }, (_, at) => `${at}.jpg`);
  writeFileSync(join(folder, "passing.jpg"), "x");
  rmSync(join(folder, "passing.jpg"));
  for (const name of names) writeFileSync(join(folder, name), "x");
  await expect.poll(() => heard.length, { timeout: 10_000 }).toBe(200);
  expect(heard.toSorted()).toEqual(names.toSorted());
});

test("the signal ends it, and a folder that is not there is a typed error", async () => {
  listen(50);
  stop.abort();
  await watching;
  const missing = watchFolder(join(folder, "missing"), new AbortController().signal);
  expect(await codeOf(missing[Symbol.asyncIterator]().next())).toBe("INPUT_NOT_FOUND");
});

test("a folder that is taken away while it is watched is told", async () => {
  const inner = join(folder, "inner");
  mkdirSync(inner);
  watching = Promise.resolve();
  const next = watchFolder(inner, stop.signal)[Symbol.asyncIterator]().next();
  rmSync(inner, { recursive: true });
  expect(await codeOf(next)).toBe("INPUT_NOT_FOUND");
});
