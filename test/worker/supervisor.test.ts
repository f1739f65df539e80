import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { IsotorchError } from "../../src/base/errors.ts";
import type { Supervisor } from "../../src/worker/supervisor.ts";
import { codeOf } from "../failure.ts";
import { membersOf } from "../processes.ts";
import { ask, digest, runOf, startStub } from "./stub.ts";
import type { StubOptions } from "./stub.ts";

let folder: string;
let journal: string;
const open: Supervisor[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "supervisor-test-"));
  journal = join(folder, "journal");
  writeFileSync(journal, "");
});
afterEach(async () => {
  await Promise.all(open.splice(0).map((supervisor) => supervisor.close(0)));
  expect(readdirSync(tmpdir()).filter((name) => name.startsWith(`isotorch-${process.pid}-`))).toEqual([]);
  rmSync(folder, { recursive: true, force: true });
});

async function start(options: StubOptions = {}): Promise<Supervisor> {
  const supervisor = await startStub({ journal, ...options });
  open.push(supervisor);
  return supervisor;
}

function lines(): string[] {
  return readFileSync(journal, "utf8").split("\n").filter(Boolean);
}

function countOf(line: string): number {
  return lines().filter((one) => one === line).length;
}

const starts = (): number => countOf("start");
const marker = (name: string): string => join(folder, name);

describe("a worker that dies", () => {
  test("while idle is replaced; health tells the truth meanwhile", async () => {
    const phases: string[] = [];
    const supervisor = await start({ onPhase: (phase) => phases.push(phase) });
    expect(supervisor.health()).toMatchObject({ phase: "ready", ready: true, starts: 1 });
    process.kill(supervisor.health().pid ?? 0, "SIGKILL");
    await expect.poll(() => supervisor.health().ready, { interval: 1 }).toBe(false);
    await expect.poll(() => supervisor.health().ready).toBe(true);
    expect(phases).toEqual(["starting", "ready", "backing-off", "starting", "ready"]);
    expect(supervisor.health().lastFailure?.code).toBe("WORKER_DIED");
    expect(await ask(supervisor, "after")).toBe(digest("after"));
  });

  test.each(["sigkill", "segfault", "exit-0", "traceback"])(
    "by %s with calls in flight loses none",
    async (fault) => {
      const supervisor = await start();
      const texts = [
        `fault:${fault}@${marker("died")} x`,
        ...Array.from({ length: 9 }, (_, i) => `call ${i}`),
      ];
      expect(await Promise.all(texts.map((text) => ask(supervisor, text)))).toEqual(texts.map(digest));
      expect(starts()).toBe(2);
      for (const text of texts) expect(countOf(runOf(text))).toBeLessThanOrEqual(2);
    },
  );

  test("after it answered, before anybody heard: delivered once", async () => {
    const supervisor = await start();
    const text = `fault:sigkill-after@${marker("died")} x`;
    expect(await ask(supervisor, text)).toBe(digest(text));
    expect(await ask(supervisor, "next")).toBe(digest("next"));
    expect(countOf(runOf(text))).toBeLessThanOrEqual(2);
  });

  test.each([
    ["of its own, by SIGSEGV", "segfault", 2],
    ["from outside, as far as anybody can tell", "sigkill", 3],
  ])("each time with the same call, %s: only that one fails", async (_how, fault, executions) => {
    const supervisor = await start();
    const poison = ask(supervisor, `fault:${fault}`);
    const neighbours = ["a", "b", "c"].map((text) => ask(supervisor, text));
    expect(await codeOf(poison)).toBe("POISON_INPUT");
    expect(await Promise.all(neighbours)).toEqual(["a", "b", "c"].map(digest));
    await expect.poll(starts).toBe(executions + 1);
    expect(countOf(runOf(`fault:${fault}`))).toBe(executions);
  });

  test("by SIGKILL or SIGTERM from outside, again and again: no call is lost, none is called poison", async () => {
    const supervisor = await start({ workMs: 20, fault: "batches" });
    const texts = Array.from({ length: 60 }, (_, i) => `call ${i}`);
    const answers = Promise.all(texts.map((text) => ask(supervisor, text)));
    const answered = Promise.race([
      answers.then(() => true),
      new Promise((resolve) => setTimeout(resolve, 60_000)),
    ]);
    const state = { done: false };
    void answered.then(() => (state.done = true));
    let killed: number | undefined;
    const isAnother = (): boolean => ![undefined, killed].includes(supervisor.health().pid);
    for (let kills = 0; !state.done; kills++) {
      // Whoever is hit goes first when the next worker is there; that one is answered before the next kill.
      await expect.poll(() => state.done || isAnother()).toBe(true);
      const { succeeded } = supervisor.stats();
      await expect.poll(() => state.done || supervisor.stats().succeeded > succeeded).toBe(true);
      killed = supervisor.health().pid;
      if (killed !== undefined && !state.done) process.kill(killed, kills % 2 === 0 ? "SIGKILL" : "SIGTERM");
    }
    expect(await answers).toEqual(texts.map(digest));
    expect(starts()).toBeGreaterThan(5);
    for (const text of texts) expect(countOf(runOf(text))).toBeLessThanOrEqual(3);
  });

  test("with an exit code that says it will always die: no second start", async () => {
    const supervisor = await start();
    expect(await codeOf(ask(supervisor, "fault:exit-70"))).toBe("WORKER_DIED");
    expect(supervisor.health().phase).toBe("failed");
    expect(await codeOf(ask(supervisor, "later"))).toBe("WORKER_DIED");
    expect(starts()).toBe(1);
  });

  test("at its first start is tried once", async () => {
    expect(await codeOf(start({ fault: "exit-69-before-hello" }))).toBe("ENVIRONMENT_BROKEN");
    expect(starts()).toBeLessThanOrEqual(1);
  });

  test("too often opens the circuit, and nobody waits silently", async () => {
    const supervisor = await start({ policy: { maxExits: 2 } });
    const poisons = [1, 2].map((n) => codeOf(ask(supervisor, `fault:sigkill ${n}`)));
    expect(
      (await Promise.all(poisons)).every((code) => code === "POISON_INPUT" || code === "CIRCUIT_OPEN"),
    ).toBe(true);
    await expect.poll(() => supervisor.health().phase).toBe("open");
    const error = await ask(supervisor, "refused").catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: "CIRCUIT_OPEN" });
    expect(error instanceof IsotorchError && (error.retryAfterMs ?? 0) > 0).toBe(true);
  });
});

describe("a worker that hangs", () => {
  const policy = { pingMs: 50, silenceMs: 500 };

  test("stopped by SIGSTOP is found silent, killed, and its call succeeds elsewhere", async () => {
    const supervisor = await start({ policy });
    const text = `fault:stop@${marker("stopped")} x`;
    expect(await ask(supervisor, text)).toBe(digest(text));
    expect(starts()).toBe(2);
    expect(supervisor.health().lastFailure?.message).toContain("said nothing");
  });

  test("stopped and continued in time costs nothing", async () => {
    const supervisor = await start({ policy: { pingMs: 50, silenceMs: 5_000 } });
    const pid = supervisor.health().pid ?? 0;
    process.kill(pid, "SIGSTOP");
    const reply = ask(supervisor, "patient");
    setTimeout(() => process.kill(pid, "SIGCONT"), 300);
    expect(await reply).toBe(digest("patient"));
    expect(starts()).toBe(1);
  });

  test("computing for too long is killed; its call, alone, is the poison", async () => {
    const supervisor = await start({ policy: { pingMs: 50, silenceMs: 60_000, overdueMs: 300 } });
    expect(await codeOf(ask(supervisor, "fault:hang"))).toBe("POISON_INPUT");
    expect(await ask(supervisor, "next")).toBe(digest("next"));
  });
});

describe("callers", () => {
  test("beyond the queue are refused at once with the time after which to try again; the others all succeed", async () => {
    const supervisor = await start({ workMs: 2, policy: { maxRequests: 10 } });
    const texts = Array.from({ length: 40 }, (_, i) => `call ${i}`);
    let answers = 0;
    const calls = texts.map(async (text) => {
      const answer = await ask(supervisor, text);
      answers += 1;
      return answer;
    });
    const refusals = await Promise.all(
      calls.slice(10).map(async (call) => call.catch((error: unknown) => error as IsotorchError)),
    );
    expect(answers).toBe(0);
    for (const error of refusals) expect(error).toMatchObject({ code: "QUEUE_FULL" });
    expect(await Promise.all(calls.slice(0, 10))).toEqual(texts.slice(0, 10).map(digest));
  });

  test("who abort while waiting never reach the worker", async () => {
    const supervisor = await start({ workMs: 100 });
    const controller = new AbortController();
    const first = [ask(supervisor, "a"), ask(supervisor, "b")];
    const waiting = codeOf(ask(supervisor, "waits", { signal: controller.signal }));
    controller.abort();
    expect(await waiting).toBe("ABORTED");
    await Promise.all(first);
    expect(await ask(supervisor, "last")).toBe(digest("last"));
    expect(countOf(runOf("waits"))).toBe(0);
  });

  test("who abort in flight end at once, and the next call gets its own answer", async () => {
    const supervisor = await start({ workMs: 200 });
    const controller = new AbortController();
    const call = codeOf(ask(supervisor, "abandoned", { signal: controller.signal }));
    setTimeout(() => controller.abort(), 50);
    expect(await call).toBe("ABORTED");
    expect(await ask(supervisor, "next")).toBe(digest("next"));
  });

  test("hear a typed error for NaN, alone", async () => {
    const supervisor = await start();
    const [bad, good] = await Promise.all([
      codeOf(ask(supervisor, "fault:non-finite")),
      ask(supervisor, "good"),
    ]);
    expect(bad).toBe("NON_FINITE_OUTPUT");
    expect(good).toBe(digest("good"));
    expect(starts()).toBe(1);
  });

  test("get one answer each where the worker answers twice; the second is dropped and counted", async () => {
    const supervisor = await start();
    expect(await ask(supervisor, "fault:twice")).toBe(digest("fault:twice"));
    expect(await ask(supervisor, "next")).toBe(digest("next"));
    expect(supervisor.stats().dropped).toBeGreaterThan(0);
  });
});

describe("batches", () => {
  test("callers that wait are sent together, and each gets its own answer", async () => {
    const supervisor = await start({ fault: "batches", workMs: 20 });
    const texts = Array.from({ length: 24 }, (_, index) => `picture ${index}`);
    expect(await Promise.all(texts.map((text) => ask(supervisor, text)))).toEqual(texts.map(digest));
    const sizes = lines().flatMap((line) => (line.startsWith("batch ") ? [Number(line.slice(6))] : []));
    expect(sizes.reduce((sum, size) => sum + size)).toBe(24);
    expect(Math.max(...sizes)).toBe(8);
    expect(supervisor.stats()).toMatchObject({ succeeded: 24, batches: sizes.length });
  });

  test("a delay collects what comes apart", async () => {
    const supervisor = await start({ fault: "batches", policy: { batchDelayMs: 150, batchSize: 3 } });
    const answers = [ask(supervisor, "a")];
    await new Promise((resolve) => setTimeout(resolve, 20));
    answers.push(ask(supervisor, "b"));
    expect(await Promise.all(answers)).toEqual([digest("a"), digest("b")]);
    expect(lines()).toContain("batch 2");
  });

  test("one poisonous picture fails alone; its whole batch is answered", async () => {
    const supervisor = await start({ fault: "batches", policy: { batchDelayMs: 60_000, batchSize: 4 } });
    const texts = ["fault:sigkill poison", "b", "c", "d"];
    const results = await Promise.allSettled(texts.map((text) => ask(supervisor, text)));
    expect(results[0]).toMatchObject({ status: "rejected", reason: { code: "POISON_INPUT" } });
    expect(results.slice(1)).toEqual(
      texts.slice(1).map((text) => ({ status: "fulfilled", value: digest(text) })),
    );
    expect(texts.map((text) => countOf(runOf(text)))).toEqual([3, 1, 1, 1]);
  });
});

describe("memory", () => {
  test("an idle worker is stopped, and the next call starts one", async () => {
    const supervisor = await start({ policy: { idleShutdownMs: 100 } });
    await expect.poll(() => supervisor.health().phase).toBe("idle");
    expect(supervisor.health().pid).toBeUndefined();
    expect(await ask(supervisor, "wake")).toBe(digest("wake"));
    expect(starts()).toBe(2);
  });

  test("a leaking worker is replaced between requests and nothing is lost", async () => {
    const supervisor = await start({ policy: { maxWorkerBytes: 300 * 1024 * 1024 } });
    const texts = Array.from({ length: 6 }, (_, i) => `fault:leak ${i}`);
    expect(await Promise.all(texts.map((text) => ask(supervisor, text)))).toEqual(texts.map(digest));
    await expect.poll(starts).toBeGreaterThan(1);
    expect(supervisor.health().recentExits).toBe(0);
  });
});

describe("the end", () => {
  test("close takes grandchildren along, lets calls finish and is idempotent", async () => {
    const supervisor = await start();
    expect(await ask(supervisor, "fault:grandchild")).toBe(digest("fault:grandchild"));
    const pid = supervisor.health().pid ?? 0;
    const last = ask(supervisor, "last");
    await Promise.all([supervisor.close(), supervisor.close()]);
    expect(await last).toBe(digest("last"));
    await expect.poll(() => membersOf(pid)).toEqual([]);
    expect(await codeOf(ask(supervisor, "late"))).toBe("CLOSED");
  });

  test("close during the first start, and racing a restart", async () => {
    const controller = new AbortController();
    const starting = codeOf(start({ fault: "silent", signal: controller.signal }));
    setTimeout(() => controller.abort(), 100);
    expect(await starting).toBe("ABORTED");
    const supervisor = await start();
    process.kill(supervisor.health().pid ?? 0, "SIGKILL");
    await expect.poll(() => supervisor.health().phase, { interval: 1 }).toBe("starting");
    await supervisor.close();
    expect(supervisor.health().phase).toBe("stopped");
  });

  test("calls that outlast the drain fail with CLOSED", async () => {
    const supervisor = await start();
    const call = codeOf(ask(supervisor, "fault:hang"));
    await supervisor.close(100);
    expect(await call).toBe("CLOSED");
  });
});
