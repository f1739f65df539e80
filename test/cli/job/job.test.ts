/** `classify --out`: a long run that is killed, and goes on. The server is a fake one, the command is the real one. */
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import {
  appendFileSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { asyncBufferFromFile, parquetReadObjects } from "hyparquet";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Meter } from "../../../src/cli/terminal/meter.ts";
import { fakeServer, logitsOf, refuse, sumOf } from "../../remote/fake.ts";
import type { FakeServer } from "../../remote/fake.ts";
import { end, ended, ofTest } from "../../processes.ts";
import { picturesIn, png } from "../pictures.ts";
import { isotorch } from "../printed.ts";
import type { Printed } from "../printed.ts";

const MAIN = fileURLToPath(new URL("../../../dist/cli/main.js", import.meta.url));

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "job-test-"));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

/** Pictures in a list, with the class that the fake network gives each. */
function pictures(count: number): { list: string; names: string[]; classes: number[] } {
  const { list, names } = picturesIn(folder, count);
  const classes = names.map((_, at) => {
    const bytes = png(at);
    const length = Buffer.alloc(4);
    length.writeUInt32LE(bytes.length);
    const logits = logitsOf(sumOf(Buffer.concat([length, bytes])));
    return logits.indexOf(Math.max(...logits));
  });
  return { list, names, classes };
}

function words(server: FakeServer, from: string, more: readonly string[] = []): string[] {
  const argv = ["classify", "--remote", server.url, "--from", from, "--out", join(folder, "out.jsonl")];
  return [...argv, "--handoff", "encoded", "--top-k", "1", ...more];
}

/** A job as a process, to be stopped or killed. */
function start(server: FakeServer, from: string): ChildProcess {
  const argv = [MAIN, ...words(server, from)];
  return ofTest(spawn(process.execPath, argv, { stdio: ["ignore", "ignore", "pipe"] }));
}

/** A job to its end. */
function whole(server: FakeServer, from: string, more?: readonly string[]): Promise<Printed> {
  return isotorch(words(server, from, more));
}

/** A server that answers so many pictures, and holds the others until more may be answered. */
async function holding(first: number): Promise<{ server: FakeServer; allow: (more: number) => void }> {
  let room = first;
  const held: (() => void)[] = [];
  const server = await fakeServer({
    instead: async () => {
      if (room > 0) room -= 1;
      else await new Promise<void>((resolve) => held.push(resolve));
      return false;
    },
  });
  const allow = (more: number): void => {
    const released = held.splice(0, more);
    room += more - released.length;
    for (const release of released) release();
  };
  return { server, allow };
}

function lines(): { input: string; top?: { index: number }[]; error?: { code: string } }[] {
  const path = join(folder, "out.jsonl");
  if (!existsSync(path)) return [];
  const text = readFileSync(path, "utf8");
  return text
    .slice(0, text.lastIndexOf("\n") + 1)
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line) as never);
}

function countOfLines(): number {
  const path = join(folder, "out.jsonl");
  return existsSync(path) ? readFileSync(path, "utf8").split("\n").length - 1 : 0;
}

test("a job over 400 pictures that is killed twice ends with exactly 400 lines, each of its own picture", async () => {
  const { server, allow } = await holding(150);
  const { list, names, classes } = pictures(400);
  for (const [enough, more] of [
    [80, 150],
    [180, Infinity],
  ] as const) {
    const child = start(server, list);
    await expect.poll(countOfLines).toBeGreaterThan(enough);
    await end(child);
    expect(countOfLines()).toBeLessThan(400);
    allow(more);
    // What a kill in the middle of a write leaves behind.
    appendFileSync(join(folder, "out.jsonl"), '{"input":"half a li');
  }
  const before = server.seen.length;
  const { code, stderr } = await whole(server, list);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "400 lines\n" });
  const answers = lines();
  expect(answers.map(({ input }) => input)).toEqual(names);
  expect(answers.map(({ top }) => top?.[0]?.index)).toEqual(classes);
  expect(server.seen.length - before).toBeLessThan(220);
});

test("Ctrl-C ends a job in order, the same command goes on, and once more has nothing to do", async () => {
  const { server, allow } = await holding(60);
  const { names } = pictures(120);
  const from = join(folder, "pictures");
  const child = start(server, from);
  const ending = ended(child);
  await expect.poll(countOfLines).toBeGreaterThan(20);
  child.kill("SIGINT");
  allow(Infinity);
  expect((await ending).code).toBe(130);
  expect(readFileSync(join(folder, "out.jsonl"), "utf8")).toMatch(/\n$/);
  expect((await whole(server, from)).code).toBe(0);
  expect(lines().map(({ input }) => input)).toEqual(names);
  expect(server.seen).toHaveLength(120);
  expect((await whole(server, from)).code).toBe(0);
  expect(server.seen).toHaveLength(120);
});

test("a job that is stopped for minutes keeps its file, and goes on when it is woken", async () => {
  const { server, allow } = await holding(60);
  const { list, names } = pictures(120);
  const first = start(server, list);
  const ending = ended(first);
  await expect.poll(countOfLines).toBeGreaterThan(20);
  first.kill("SIGSTOP");
  const then = new Date(Date.now() - 120_000);
  utimesSync(join(folder, "out.jsonl.lock"), then, then);
  const second = await whole(server, list);
  expect(second).toMatchObject({ code: 2, stderr: expect.stringMatching(/Another run writes/) as string });
  allow(Infinity);
  first.kill("SIGCONT");
  expect((await ending).code).toBe(0);
  expect(lines().map(({ input }) => input)).toEqual(names);
});

test("a job that has lost its lock writes no further line, and says so", async () => {
  const { server, allow } = await holding(60);
  const { list, names } = pictures(120);
  const first = start(server, list);
  const ending = ended(first);
  await expect.poll(countOfLines).toBeGreaterThan(20);
  first.kill("SIGSTOP");
  // As a machine that shares the folder does, which cannot look at the process.
  rmSync(join(folder, "out.jsonl.lock"));
  allow(Infinity);
  expect((await whole(server, list)).code).toBe(0);
  const before = readFileSync(join(folder, "out.jsonl"), "utf8");
  first.kill("SIGCONT");
  const { code, stderr } = await ending;
  expect({ code, stderr }).toMatchObject({ code: 3, stderr: expect.stringMatching(/taken over/) as string });
  expect(readFileSync(join(folder, "out.jsonl"), "utf8")).toBe(before);
  expect(lines().map(({ input }) => input)).toEqual(names);
});

describe("a job", () => {
  test("writes a line for a picture that failed, and ends with 1", async () => {
    const server = await fakeServer();
    const { list } = pictures(3);
    rmSync(join(folder, "pictures", "00001.png"));
    expect((await whole(server, list)).code).toBe(1);
    expect(lines().map(({ top, error }) => error?.code ?? top?.length)).toEqual([1, "INPUT_NOT_FOUND", 1]);
  });

  test("makes a Parquet file of its lines when they are whole, and again when the list has grown", async () => {
    const server = await fakeServer();
    const { list, names, classes } = pictures(40);
    const path = join(folder, "out.parquet");
    writeFileSync(list, `${names.slice(0, 30).join("\n")}\n`);
    for (const count of [30, 40]) {
      expect(await whole(server, list, ["--out", path])).toMatchObject({ code: 0 });
      const rows = await parquetReadObjects({ file: await asyncBufferFromFile(path) });
      expect(rows.map(({ input }) => input as string)).toEqual(names.slice(0, count));
      expect(rows.map(({ top }) => (top as { index: number }[])[0]?.index)).toEqual(classes.slice(0, count));
      writeFileSync(list, `${names.join("\n")}\n`);
    }
    expect(server.seen).toHaveLength(40);
  });

  test("has a line for each picture, whatever its name", async () => {
    const server = await fakeServer();
    const { names } = pictures(3);
    const odd = join(folder, "pictures", '0\u2028"\\\u0085.png');
    renameSync(names[0]!, odd);
    const from = join(folder, "pictures");
    for (const _ of ["a run", "one that finds all done"]) {
      expect(await whole(server, from, ["--out", join(folder, "out.parquet")])).toMatchObject({
        code: 0,
      });
      const rows = await parquetReadObjects({ file: await asyncBufferFromFile(join(folder, "out.parquet")) });
      expect(rows.map(({ input }) => input as string).toSorted()).toEqual(
        [odd, ...names.slice(1)].toSorted(),
      );
    }
    expect(server.seen).toHaveLength(3);
  });

  test("ends where the server fails, writes nothing of it, and goes on when it is well", async () => {
    let isWell = false;
    const server = await fakeServer({
      instead: (_, response, count) =>
        !isWell && count > 40 && refuse(response, 500, { error: "a broken server" }),
    });
    const { list, names } = pictures(100);
    const { code, stderr } = await whole(server, list);
    expect(code).toBe(5);
    expect(stderr).toMatch(/a broken server/);
    expect(lines().length).toBeLessThan(100);
    expect(lines().every(({ top }) => top?.length === 1)).toBe(true);
    isWell = true;
    expect((await whole(server, list)).code).toBe(0);
    expect(lines().map(({ input }) => input)).toEqual(names);
  });

  test("is not mixed with another one", async () => {
    const server = await fakeServer();
    const { list, names } = pictures(4);
    expect((await whole(server, list)).code).toBe(0);
    const other = await whole(server, list, ["--exif", "apply"]);
    expect(other).toMatchObject({ code: 2, stderr: expect.stringMatching(/exif/) as string });
    writeFileSync(list, `${names.toReversed().join("\n")}\n`);
    const reversed = await whole(server, list);
    expect(reversed).toMatchObject({ code: 2, stderr: expect.stringMatching(/Line 1/) as string });
    rmSync(join(folder, "out.jsonl.job"));
    expect((await whole(server, list)).code).toBe(2);
    expect(lines()).toHaveLength(4);
  });
});

describe("the meter", () => {
  test("says how far, how fast and how long", () => {
    const meter = new Meter(100, 1_100, undefined);
    for (let at = 0; at < 500; at += 1) meter.count("", at * 20);
    expect(meter.line()).toMatch(/^█{13}░{11} 600\/1100 {2}54\.5 % {2}50\/s {2}1\d s left$/);
    expect(meter.summary()).toBe("600 of 1100 lines");
  });

  test("promises no end where nobody knows how many there are", () => {
    const meter = new Meter(0, undefined, undefined);
    for (let at = 0; at < 10; at += 1) meter.count("", at * 500);
    expect(meter.line()).toMatch(/^10 {2}\d\.\d\/s$/);
  });
});
