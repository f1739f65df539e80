/** Processes that crash, hang or are killed: a bad picture costs its own call alone, and a good one nothing. */
import { afterEach, describe, expect, test } from "vitest";
import { Pool, type PoolOptions } from "../../src/image/pool.ts";
import { codeOf } from "../failure.ts";
import { isRunning } from "../processes.ts";
import { encoded, jobOf } from "./job.ts";

const MISBEHAVES = new URL("../fixtures/decoders/misbehaves.mjs", import.meta.url);

let pool: Pool | undefined;
afterEach(() => pool?.close());

function start(options: Partial<PoolOptions> = {}): Pool {
  pool = new Pool({ processes: 1, script: MISBEHAVES, ...options });
  return pool;
}

async function decode(text: string, signal: AbortSignal = new AbortController().signal) {
  const { cropped, laps } = await pool!.run(jobOf(encoded(Buffer.from(text)), { cropped: true }), signal);
  const pid = Number(/pid (\d+)/.exec(Object.keys(laps).join())?.[1]);
  return { laps, first: cropped?.data[0], pid };
}

describe("a picture that", () => {
  test.each([
    ["crashes its process twice", "crash"],
    ["ends it quietly twice", "exit"],
  ])("%s fails alone, and another process takes its place", async (_, word) => {
    start();
    const { pid } = await decode("before");
    const neighbours = [decode(`${word} now`), decode("next"), decode("third")];
    const [bad, ...good] = await Promise.allSettled(neighbours);
    expect(bad).toMatchObject({ status: "rejected", reason: { code: "DECODE_FAILED" } });
    expect(good.map((outcome) => outcome.status === "fulfilled" && outcome.value.first)).toEqual([4, 5]);
    expect(isRunning(pid)).toBe(false);
    expect(pool?.stats()).toEqual({ busy: 0, waiting: 0, killed: 0, died: 2 });
  });

  test.each([["hang"], ["wait"]])(
    "makes it %s is given up at the limit, its process killed",
    async (word) => {
      start({ timeoutMs: 400 });
      const { pid } = await decode("before");
      const started = performance.now();
      const [bad, good] = await Promise.allSettled([decode(`${word} now`), decode("next")]);
      expect(bad).toMatchObject({ status: "rejected", reason: { code: "DECODE_FAILED" } });
      expect(good.status).toBe("fulfilled");
      expect(performance.now() - started).toBeGreaterThan(390);
      await expect.poll(() => isRunning(pid)).toBe(false);
      expect(pool?.stats()).toMatchObject({ killed: 1, died: 0 });
    },
  );
});

test("answers stay with their pictures while two processes work", async () => {
  start({ processes: 2 }).warm();
  const texts = Array.from({ length: 40 }, (_, at) => "x".repeat(at + 1));
  const pids = new Set<number>();
  // The second process may take a while to start.
  while (pids.size < 2) {
    const answers = await Promise.all(texts.map((text) => decode(text)));
    expect(answers.map(({ first }) => first)).toEqual(texts.map(({ length }) => length));
    for (const { pid } of answers) pids.add(pid);
  }
});

test("the processes see nothing of the environment", async () => {
  start();
  process.env["ISOTORCH_TEST_SECRET"] = "secret";
  try {
    const { laps } = await decode("picture");
    expect(Object.keys(laps).join()).toMatch(/env /);
    expect(Object.keys(laps).join()).not.toContain("ISOTORCH_TEST_SECRET");
  } finally {
    delete process.env["ISOTORCH_TEST_SECRET"];
  }
});

test("an aborted picture that waited is gone at once, and one that is being read is ended", async () => {
  start();
  const { pid } = await decode("before");
  const [first, waiting] = [new AbortController(), new AbortController()];
  const slow = decode("wait now", first.signal);
  const second = decode("second", waiting.signal);
  waiting.abort();
  expect(await codeOf(second)).toBe("ABORTED");
  expect(pool?.stats()).toMatchObject({ busy: 1, waiting: 0 });
  first.abort();
  expect(await codeOf(slow)).toBe("ABORTED");
  await expect.poll(() => pool?.stats()).toMatchObject({ busy: 0, killed: 1 });
  await expect.poll(() => isRunning(pid)).toBe(false);
  expect((await decode("next")).first).toBe(4);
});

describe("a decoder that is killed from outside", () => {
  test("costs no picture: it is read once more", async () => {
    start();
    const { pid } = await decode("before");
    const reading = decode("wait-once now");
    process.kill(pid, "SIGKILL");
    const { first, pid: second } = await reading;
    expect([first, second === pid]).toEqual(["wait-once".length, false]);
    expect(pool?.stats()).toMatchObject({ died: 1, killed: 0 });
  });

  test("twice blames nobody's picture", async () => {
    start();
    await decode("before");
    expect(await codeOf(decode("killed now"))).toBe("WORKER_DIED");
    expect(pool?.stats()).toMatchObject({ died: 2 });
    expect((await decode("next")).first).toBe(4);
  });
});

test("a process that crashes once costs no picture: another reads it", async () => {
  start();
  const { pid } = await decode("before");
  const reading = decode("wait-once now");
  process.kill(pid, "SIGSEGV");
  expect((await reading).first).toBe("wait-once".length);
  expect(pool?.stats()).toMatchObject({ died: 1, killed: 0 });
});

test("a picture that others wait behind gets no more than its own process: they have another", async () => {
  start({ processes: 2 });
  const controller = new AbortController();
  const slow = decode("wait now", controller.signal);
  expect((await decode("next")).first).toBe(4);
  controller.abort();
  expect(await codeOf(slow)).toBe("ABORTED");
});

describe("whoever leaves", () => {
  test("leaves no process behind, also where one still reads what was given up", async () => {
    const leave = start().enter();
    const { pid } = await decode("before");
    const controller = new AbortController();
    const slow = decode("wait now", controller.signal);
    controller.abort();
    expect(await codeOf(slow)).toBe("ABORTED");
    await leave();
    expect(isRunning(pid)).toBe(false);
  });

  test("waits for what somebody waits for, until that is given up", async () => {
    const leave = start().enter();
    await decode("before");
    const controller = new AbortController();
    const slow = decode("wait now", controller.signal);
    const left = leave();
    expect(await Promise.race([left.then(() => "left"), decode("other").then(() => "other")])).toBe("other");
    controller.abort();
    expect(await codeOf(slow)).toBe("ABORTED");
    await left;
  });
});

test("so many wait and no more; closing fails them and leaves no process", async () => {
  start({ maxWaiting: 2 });
  const { pid } = await decode("before");
  const open = [decode("wait now"), decode("a"), decode("b")].map((promise) => codeOf(promise));
  expect(await codeOf(decode("c"))).toBe("QUEUE_FULL");
  await pool?.close();
  expect(await Promise.all(open)).toEqual(["CLOSED", "CLOSED", "CLOSED"]);
  expect(isRunning(pid)).toBe(false);
  expect(await codeOf(decode("after"))).toBe("CLOSED");
});

test.each([
  ["ends at once", "ends.mjs", /exit code 7/, "ulimit"],
  ["says that a library does not load", "unable.mjs", /no sharp for this system/, "Install"],
])(
  "a process that %s is told to whoever waits, and the next call tries anew",
  async (_, name, reason, hint) => {
    start({ script: new URL(`../fixtures/decoders/${name}`, import.meta.url) });
    for (let turn = 0; turn < 2; turn++) {
      await expect(decode("picture")).rejects.toMatchObject({
        code: "WORKER_START_FAILED",
        message: expect.stringMatching(reason),
        hint: expect.stringContaining(hint),
      });
    }
  },
);
