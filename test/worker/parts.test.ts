/** Answers in parts, over workers without a process: what is delivered comes once, in order, whoever dies meanwhile. */
import { createHash } from "node:crypto";
import { rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test, vi } from "vitest";
import { DEFAULT_POLICY } from "../../src/worker/supervision/policy.ts";
import type { SupervisionPolicy } from "../../src/worker/supervision/policy.ts";
import { Supervisor } from "../../src/worker/supervisor.ts";
import { failureOf } from "../failure.ts";
import { CRASHED, FakeSession, KILLED, part, result, streamed, tokensOf } from "./fakes.ts";
import { asPicture, callOf, pixelsOf, startStub } from "./stub.ts";

let sessions: FakeSession[] = [];
let supervisor: Supervisor | undefined;
afterEach(async () => {
  await supervisor?.close(0);
  sessions = [];
});

async function start(policy: Partial<SupervisionPolicy> = {}): Promise<Supervisor> {
  supervisor = await Supervisor.start({
    policy: { ...DEFAULT_POLICY, restartDelaysMs: [0], ...policy },
    start: ({ onExit }) => {
      const session = new FakeSession(onExit);
      sessions.push(session);
      return Promise.resolve(session);
    },
    onPhase: () => undefined,
  });
  return supervisor;
}

/** The worker of this start, once it has a request. */
async function asked(startNumber: number): Promise<FakeSession> {
  await expect.poll(() => sessions[startNumber - 1]?.asked.size ?? 0, { interval: 5 }).toBeGreaterThan(0);
  return sessions[startNumber - 1]!;
}

interface Listening {
  readonly heard: number[][];
  readonly done: Promise<void>;
}

function listen(call = streamed("text"), signal?: AbortSignal): Listening {
  const heard: number[][] = [];
  const done = supervisor!.run(call, (reply) => heard.push(tokensOf(reply)), { signal });
  return { heard, done };
}

test("parts come as they are made, and then the end", async () => {
  await start();
  const { heard, done } = listen();
  const worker = await asked(1);
  worker.answer(part(0, 7));
  expect(heard).toEqual([[7]]);
  worker.answer(part(1, 8, 9), result(7, 8, 9));
  await done;
  expect(heard).toEqual([[7], [8, 9], [7, 8, 9]]);
  expect(supervisor?.stats()).toMatchObject({ succeeded: 1, failed: 0 });
});

describe("a worker that dies in the middle of an answer", () => {
  test.each([
    ["by itself", CRASHED],
    ["by a signal from outside", KILLED],
  ])("%s: another one makes it anew, and nothing comes twice", async (_, exit) => {
    await start();
    const { heard, done } = listen();
    (await asked(1)).answer(part(0, 7), part(1, 8));
    sessions[0]?.die(exit);
    const second = await asked(2);
    second.answer(part(0, 7));
    expect(heard).toEqual([[7], [8]]);
    second.answer(part(1, 8), part(2, 9), result(7, 8, 9));
    await done;
    expect(heard).toEqual([[7], [8], [9], [7, 8, 9]]);
    expect(supervisor?.stats()).toMatchObject({ redelivered: 1, succeeded: 1 });
  });

  test("and the next makes another part in the place of one that was delivered: the call says so", async () => {
    await start();
    const { heard, done } = listen();
    (await asked(1)).answer(part(0, 7), part(1, 8));
    sessions[0]?.die();
    (await asked(2)).answer(part(0, 7), part(1, 80));
    const error = await failureOf(done);
    expect(error.code).toBe("NOT_REPRODUCIBLE");
    expect(error.message).toContain("another part 1 than was delivered");
    expect(error.hint).toContain("again");
    expect(heard).toEqual([[7], [8]]);
  });

  test("and the next ends before what was delivered: the call says so", async () => {
    await start();
    const { heard, done } = listen();
    (await asked(1)).answer(part(0, 7), part(1, 8));
    sessions[0]?.die();
    (await asked(2)).answer(part(0, 7), result(7));
    expect((await failureOf(done)).code).toBe("NOT_REPRODUCIBLE");
    expect(heard).toEqual([[7], [8]]);
  });

  test("of a task that cannot be made anew: the call fails, and is sent to nobody else", async () => {
    await start();
    const { heard, done } = listen(streamed("text", false));
    (await asked(1)).answer(part(0, 7));
    sessions[0]?.die();
    expect((await failureOf(done)).code).toBe("WORKER_DIED");
    expect(heard).toEqual([[7]]);
    // Somebody else is answered by the next worker, which had nothing before.
    const next = listen();
    const second = await asked(2);
    expect(second.asked.size).toBe(1);
    second.answer(result(1));
    await next.done;
  });

  test("of a task that cannot be made anew, before the call was sent: it waits for the next worker", async () => {
    await start({ maxInFlight: 1 });
    const first = listen({ ...streamed("first", false), apart: false });
    const second = listen({ ...streamed("second", false), apart: false });
    await asked(1);
    expect(sessions[0]?.asked.size).toBe(1);
    sessions[0]?.die();
    expect((await failureOf(first.done)).code).toBe("WORKER_DIED");
    (await asked(2)).answer(result(2));
    await second.done;
    expect(second.heard).toEqual([[2]]);
  });
});

test("so it is over a socket, with a process that is killed", async () => {
  const marker = join(tmpdir(), `isotorch-parts-${process.pid}`);
  supervisor = await startStub();
  const text = `tokens@${marker}`;
  const { heard, done } = listen(callOf(asPicture(text)));
  await done.finally(() => rmSync(marker, { force: true }));
  const tokens = [...createHash("sha256").update(pixelsOf(text)).digest().subarray(0, 5)];
  expect(heard).toEqual([...tokens.map((token) => [token]), tokens]);
  expect(supervisor.stats()).toMatchObject({ redelivered: 1, succeeded: 1, starts: 2 });
});

test("a part out of its order ends the call as an error of the protocol", async () => {
  await start();
  const { heard, done } = listen();
  (await asked(1)).answer(part(0, 7), part(2, 9));
  const error = await failureOf(done);
  expect(error.code).toBe("PROTOCOL_ERROR");
  expect(error.message).toBe("Part 2 of an answer came where part 1 was due.");
  expect(heard).toEqual([[7]]);
});

test("a caller who leaves between two parts hears nothing more, and the worker is told", async () => {
  await start();
  const leaving = new AbortController();
  const { heard, done } = listen(streamed("text"), leaving.signal);
  const worker = await asked(1);
  worker.answer(part(0, 7));
  leaving.abort();
  expect((await failureOf(done)).code).toBe("ABORTED");
  expect(worker.cancelled).toHaveLength(1);
  worker.answer(part(1, 8), result(7, 8));
  expect(heard).toEqual([[7]]);
});

test("parts keep the watchdog quiet; without one for too long the worker is killed", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval", "performance"] });
  try {
    await start({ overdueMs: 400, silenceMs: 60_000 });
    const call = failureOf(listen(streamed("text", false)).done);
    const [worker] = sessions;
    for (let sequence = 0; sequence < 20; sequence += 1) {
      await vi.advanceTimersByTimeAsync(300);
      worker?.answer(part(sequence, sequence));
    }
    expect(worker?.destroyed).toBeUndefined();
    await vi.advanceTimersByTimeAsync(600);
    expect(worker?.destroyed).toContain("too long");
    expect((await call).code).toBe("WORKER_DIED");
  } finally {
    vi.useRealTimers();
  }
});
