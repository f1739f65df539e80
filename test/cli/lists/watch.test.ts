import { EventEmitter } from "node:events";
import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  utimesSync,
  watch as watchReally,
  writeFileSync,
} from "node:fs";
import type { FSWatcher } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { nameOf } from "../../../src/base/text/names.ts";
import { watchFolder, type WatchOptions } from "../../../src/cli/lists/watch.ts";
import { codeOf } from "../../failure.ts";

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

function listen(settledMs: number, options: WatchOptions = {}): void {
  const coming = watchFolder(folder, stop.signal, { settledMs, ...options });
  watching = (async () => {
    for await (const path of coming) heard.push(basename(path));
  })();
}

test("a file comes once, when it has been written whole; what was there and what is no picture does not", async () => {
  // Far more than lies between two writes, also on a busy machine.
  listen(1_500);
  writeFileSync(join(folder, "slow.jpg"), "");
  writeFileSync(join(folder, "notes.txt"), "no picture");
  for (let at = 0; at < 6; at++) {
    appendFileSync(join(folder, "slow.jpg"), "x");
    await pause(100);
    expect(heard).toEqual([]);
  }
  await expect.poll(() => heard).toEqual(["slow.jpg"]);
  const now = new Date();
  utimesSync(join(folder, "notes.txt"), now, now);
  writeFileSync(join(folder, "later.jpg"), "x");
  await expect.poll(() => heard).toEqual(["slow.jpg", "later.jpg"]);
});

test("a file that is moved in comes, and one that is written again comes again", async () => {
  listen(50);
  const outside = mkdtempSync(join(tmpdir(), "watch-outside-"));
  writeFileSync(join(outside, "moved.png"), "whole");
  renameSync(join(outside, "moved.png"), join(folder, "moved.png"));
  rmSync(outside, { recursive: true });
  await expect.poll(() => heard).toEqual(["moved.png"]);
  writeFileSync(join(folder, "moved.png"), "another");
  await expect.poll(() => heard).toEqual(["moved.png", "moved.png"]);
});

test("many at once all come, and a file that is gone again does not", async () => {
  listen(50);
  const names = Array.from({ length: 200 }, (_, at) => `${at}.jpg`);
  writeFileSync(join(folder, "passing.jpg"), "x");
  rmSync(join(folder, "passing.jpg"));
  for (const name of names) writeFileSync(join(folder, name), "x");
  await expect.poll(() => heard.length).toBe(200);
  expect(heard.toSorted()).toEqual(names.toSorted());
});

/** Events come only when a test sends them. */
function events(): { watch: NonNullable<WatchOptions["watch"]>; send: (name: string | null) => void } {
  let send = (_name: string | null): void => undefined;
  const watch = ((_folder: string, _options: object, hear: (event: string, name: Buffer | null) => void) => {
    send = (name) => hear("rename", name === null ? null : Buffer.from(name));
    return new EventEmitter() as FSWatcher;
  }) as NonNullable<WatchOptions["watch"]>;
  return { watch, send: (name) => send(name) };
}

test("an event without a name, as systems send when they lost some, brings everything that is new or changed", async () => {
  writeFileSync(join(folder, "changed.jpg"), "old");
  writeFileSync(join(folder, "filled.jpg"), "");
  const { watch, send } = events();
  listen(20, { watch, scanMs: 20 });
  send(null);
  await pause(200);
  expect(heard).toEqual([]);

  const names = Array.from({ length: 300 }, (_, at) => `new ${at}.jpg`);
  for (const name of [...names, "changed.jpg", "filled.jpg"]) writeFileSync(join(folder, name), "new one");
  writeFileSync(join(folder, "empty.jpg"), "");
  send(null);
  const all = [...names, "changed.jpg", "filled.jpg"].toSorted();
  await expect.poll(() => heard.toSorted()).toEqual(all);

  heard.length = 0;
  writeFileSync(join(folder, "new 7.jpg"), "and again");
  rmSync(join(folder, "new 8.jpg"));
  send(null);
  await expect.poll(() => heard).toEqual(["new 7.jpg"]);
  writeFileSync(join(folder, "new 8.jpg"), "new one");
  send(null);
  await expect.poll(() => heard).toEqual(["new 7.jpg", "new 8.jpg"]);
});

test("events that are lost without a word lose nothing, as long as one of them comes", async () => {
  const { watch, send } = events();
  listen(20, { watch, scanMs: 20 });
  // It comes by the first look through the folder, after which only events make another one.
  writeFileSync(join(folder, "first.jpg"), "x");
  await expect.poll(() => heard).toEqual(["first.jpg"]);
  heard.length = 0;
  const names = Array.from({ length: 50 }, (_, at) => `${at}.jpg`);
  for (const name of names) writeFileSync(join(folder, name), "x");
  send("notes.txt");
  await expect.poll(() => heard.toSorted()).toEqual(names.toSorted());
});

test("more files than any limit come once each, however often the folder is looked through", async () => {
  const { watch, send } = events();
  listen(20, { watch, scanMs: 20 });
  const names = Array.from({ length: 10_100 }, (_, at) => `${at}.jpg`);
  for (const name of names) writeFileSync(join(folder, name), "x");
  send(null);
  await expect.poll(() => heard.length).toBe(names.length);
  writeFileSync(join(folder, "last.jpg"), "x");
  send(null);
  await expect.poll(() => heard.at(-1)).toBe("last.jpg");
  expect(heard.length).toBe(names.length + 1);
});

test("other rights make no new picture, of a file that came or of one that was there before", async () => {
  listen(20, { scanMs: 20 });
  writeFileSync(join(folder, "new.jpg"), "new");
  await expect.poll(() => heard).toEqual(["new.jpg"]);
  for (const name of ["old.jpg", "new.jpg"]) chmodSync(join(folder, name), 0o600);
  for (const name of ["next.jpg", "last.jpg"]) {
    writeFileSync(join(folder, name), "whole");
    await expect.poll(() => heard.at(-1)).toBe(name);
  }
  expect(heard).toEqual(["new.jpg", "next.jpg", "last.jpg"]);
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

test.skipIf(process.platform !== "linux")(
  "a name that is not UTF-8 comes, also in such a folder",
  async () => {
    const inner = Buffer.concat([Buffer.from(`${folder}/`), Uint8Array.of(0xcd, 0xbc)]);
    mkdirSync(inner);
    folder = nameOf(inner);
    listen(50);
    writeFileSync(
      Buffer.concat([inner, Buffer.from("/"), Uint8Array.of(0xb9, 0xb7), Buffer.from(".jpg")]),
      "new",
    );
    await expect.poll(() => heard).toEqual(["\udcb9\udcb7.jpg"]);
    folder = join(folder, "..");
  },
);

test.skipIf(process.platform === "win32")(
  "a folder that is made again in its place is watched on",
  async () => {
    rmSync(folder, { recursive: true });
    mkdirSync(folder);
    let made = 0;
    // The real one, which hears nothing more from the folder that was there before.
    const counted = ((...parameters: Parameters<typeof watchReally>) => {
      made += 1;
      return watchReally(...parameters);
    }) as typeof watchReally;
    listen(50, { watch: counted, scanMs: 20 });
    await expect.poll(() => made).toBe(1);
    rmSync(folder, { recursive: true });
    mkdirSync(folder);
    await expect.poll(() => made).toBeGreaterThan(1);
    writeFileSync(join(folder, "new.jpg"), "new");
    await expect.poll(() => heard).toEqual(["new.jpg"]);
  },
);
