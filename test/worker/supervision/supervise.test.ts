import { describe, expect, test } from "vitest";
import { openCalls, wakeAt } from "../../../src/worker/supervision/advance.ts";
import { Machine } from "../machine.ts";

describe("a worker that dies", () => {
  test("while idle is started again after a delay, and is not ready meanwhile", () => {
    const machine = new Machine().up();
    expect(machine.phase).toBe("ready");
    machine.crash();
    expect(machine.phase).toBe("backing-off");
    machine.pass(200);
    expect(machine.count("spawn")).toBe(1);
    machine.pass(100);
    expect(machine.count("spawn")).toBe(2);
    expect(machine.phase).toBe("starting");
  });

  test("with calls in flight loses none: they go again one at a time, then the waiting ones", () => {
    const machine = new Machine().up();
    machine.submit(1, 2, 3);
    expect(machine.sent()).toEqual([1, 2]);
    machine.crash();
    machine.restarted();
    expect(machine.sent()).toEqual([1, 2, 1]);
    machine.answer(1);
    expect(machine.sent()).toEqual([1, 2, 1, 2]);
    machine.answer(2);
    expect(machine.sent()).toEqual([1, 2, 1, 2, 3]);
    machine.answer(3);
    expect(machine.failures()).toEqual({});
    expect(machine.phase).toBe("ready");
  });

  test("twice with the same call alone: that one is the poison, its neighbour succeeds, two restarts", () => {
    const machine = new Machine().up();
    machine.submit(1, 2);
    machine.crash();
    machine.restarted();
    machine.answer(1);
    machine.crash();
    expect(machine.failures()).toEqual({ 2: "poison" });
    machine.restarted();
    expect(machine.count("spawn")).toBe(3);
    expect(machine.phase).toBe("ready");
  });

  test("with redelivery switched off fails what it had, and nothing else", () => {
    const machine = new Machine({ redelivery: "never" }).up();
    machine.submit(1, 2, 3);
    machine.crash();
    expect(machine.failures()).toEqual({ 1: "died", 2: "died" });
    machine.restarted();
    expect(machine.sent()).toEqual([1, 2, 3]);
  });

  test("for good, by an exit code that says so, is not started again", () => {
    const machine = new Machine().up();
    machine.submit(1, 2, 3);
    machine.crash(true);
    expect(machine.failures()).toEqual({ 1: "failed", 2: "failed", 3: "failed" });
    machine.pass(600_000);
    machine.submit(4);
    expect(machine.failures()).toMatchObject({ 4: "failed" });
    expect(machine.count("spawn")).toBe(1);
    expect(machine.phase).toBe("failed");
  });

  test("again and again waits longer each time, until the circuit opens", () => {
    const machine = new Machine().up();
    const started: number[] = [];
    machine.submit(1);
    for (let round = 0; round < 6; round++) {
      const from = machine.now;
      machine.crash();
      if (round === 5) break;
      machine.submit(10 + round);
      while (machine.state.process === "none") machine.pass(50);
      started.push(machine.now - from);
      machine.feed({ type: "ready", ...machine.generation });
    }
    expect(started).toEqual([250, 1_000, 2_000, 4_000, 8_000]);
    expect(machine.phase).toBe("open");
    expect(openCalls(machine.state)).toBe(0);
    machine.submit(99);
    expect(machine.failures()).toMatchObject({ 99: "circuit-open" });
  });
});

describe("an open circuit", () => {
  function opened(): Machine {
    const machine = new Machine({ maxExits: 0 }).up();
    machine.crash();
    expect(machine.phase).toBe("open");
    return machine;
  }

  test("tries once after 30 s, and closes with the first success", () => {
    const machine = opened();
    machine.pass(29_900);
    expect(machine.count("spawn")).toBe(1);
    machine.pass(200);
    expect(machine.count("spawn")).toBe(2);
    machine.feed({ type: "ready", ...machine.generation });
    machine.submit(1);
    machine.answer(1);
    expect(machine.phase).toBe("ready");
    expect(machine.state.circuit).toBe("closed");
  });

  test("stays open twice as long after each trial that fails, at most 300 s", () => {
    const machine = opened();
    const waits: number[] = [];
    for (let round = 0; round < 6; round++) {
      const from = machine.now;
      while (machine.state.process === "none") machine.pass(100);
      waits.push(machine.now - from);
      machine.crash();
    }
    expect(waits).toEqual([30_000, 60_000, 120_000, 240_000, 300_000, 300_000]);
  });
});

describe("the watch", () => {
  test("kills a worker that says nothing for 10 s, idle or busy", () => {
    for (const ids of [[], [1]]) {
      const machine = new Machine().up();
      machine.submit(...ids);
      machine.pass(9_900, { answering: false });
      expect(machine.count("kill")).toBe(0);
      machine.pass(200, { answering: false });
      expect(machine.effects).toContainEqual({ type: "kill", reason: "silent" });
    }
  });

  test("kills a worker that answers pings and computes for 60 s", () => {
    const machine = new Machine().up();
    machine.submit(1);
    machine.pass(59_900);
    expect(machine.count("kill")).toBe(0);
    machine.pass(200);
    expect(machine.effects).toContainEqual({ type: "kill", reason: "overdue" });
  });

  test("does not blame the worker for a controller that slept", () => {
    const machine = new Machine().up();
    machine.submit(1);
    machine.now += 3_600_000;
    machine.feed({ type: "tick" });
    machine.pass(5_000);
    expect(machine.count("kill")).toBe(0);
  });

  test("does not ping during the start, which has deadlines of its own", () => {
    const machine = new Machine();
    machine.feed({ type: "start" });
    machine.pass(30_000, { answering: false });
    expect(machine.count("ping") + machine.count("kill")).toBe(0);
  });
});

describe("limits", () => {
  test("the queue is full by count, and by bytes", () => {
    const byCount = new Machine({ maxRequests: 3 }).up();
    byCount.submit(1, 2, 3, 4);
    expect(byCount.failures()).toEqual({ 4: "queue-full" });
    const byBytes = new Machine({ maxBytes: 2_500 }).up();
    byBytes.submit(1, 2, 3);
    expect(byBytes.failures()).toEqual({ 3: "queue-full" });
  });

  test("one call alone always fits", () => {
    const machine = new Machine({ maxBytes: 10 }).up();
    machine.submit(1);
    expect(machine.sent()).toEqual([1]);
  });

  test("a cancelled call that waits never reaches the worker; one in flight is not sent again", () => {
    const machine = new Machine().up();
    machine.submit(1, 2, 3);
    machine.feed({ type: "cancel", id: 1 });
    machine.feed({ type: "cancel", id: 3 });
    machine.crash();
    machine.restarted();
    expect(machine.sent()).toEqual([1, 2, 2]);
  });

  test("an earlier start's words are dropped", () => {
    const machine = new Machine().up();
    machine.submit(1);
    machine.crash();
    machine.restarted();
    const before = machine.state;
    machine.feed({ type: "answered", id: 1, generation: 1 });
    machine.feed({ type: "exit", fatal: true, generation: 1 });
    expect(machine.state).toEqual(before);
  });
});

describe("batches", () => {
  const ids = (count: number, from = 1): number[] =>
    Array.from({ length: count }, (_, index) => from + index);

  test("an idle worker gets its first call at once, and what came meanwhile together", () => {
    const machine = new Machine().up(8);
    machine.submit(...ids(7));
    expect(machine.batches()).toEqual([[1], [2]]);
    machine.answer(1);
    expect(machine.batches()).toEqual([[1], [2], [3, 4, 5]]);
    machine.answer(2);
    expect(machine.batches()).toEqual([[1], [2], [3, 4, 5], [6, 7]]);
  });

  test("no more than two are at the worker, and none is larger than worker and option allow", () => {
    for (const [batchSize, largest] of [
      [0, 4],
      [3, 3],
      [100, 4],
    ] as const) {
      const machine = new Machine({ batchSize });
      machine.submit(...ids(20));
      machine.feed({ type: "ready", maxBatch: 4, ...machine.generation });
      expect(machine.batches().map((batch) => batch.length)).toEqual([largest, largest]);
      machine.answer(1);
      expect(machine.batches()).toHaveLength(2);
    }
  });

  test("one that is not full waits for company as long as it was told to, and no longer", () => {
    const machine = new Machine({ batchDelayMs: 20 }).up(4);
    machine.submit(1, 2);
    expect(machine.batches()).toEqual([]);
    expect(wakeAt(machine.state, machine.policy)).toBe(machine.now + 20);
    machine.now += 20;
    machine.feed({ type: "due" });
    expect(machine.batches()).toEqual([[1, 2]]);
    machine.submit(3, 4, 5, 6);
    expect(machine.batches()).toEqual([
      [1, 2],
      [3, 4, 5, 6],
    ]);
  });

  test("that die with the worker are redelivered one by one, each alone", () => {
    const machine = new Machine();
    machine.submit(...ids(5));
    machine.feed({ type: "ready", maxBatch: 8, ...machine.generation });
    expect(machine.batches()).toEqual([
      [1, 2, 3],
      [4, 5],
    ]);
    machine.crash();
    machine.restarted();
    for (const id of ids(5)) machine.answer(id);
    expect(machine.batches().slice(2)).toEqual([[1], [2], [3], [4], [5]]);
    expect(machine.failures()).toEqual({});
  });

  test("what goes apart, with an encoded picture, shares none and holds none up", () => {
    const machine = new Machine();
    for (const id of ids(5)) machine.feed({ type: "submit", id, bytes: 10, single: id === 3 });
    machine.feed({ type: "ready", maxBatch: 8, ...machine.generation });
    expect(machine.batches()).toEqual([[3], [1, 2], [4, 5]]);
  });

  test("many slow pictures leave the places of batches alone, and wait for their own", () => {
    const machine = new Machine();
    for (const id of ids(20)) machine.feed({ type: "submit", id, bytes: 10, single: true });
    machine.feed({ type: "ready", maxBatch: 8, ...machine.generation });
    expect(machine.batches()).toEqual(ids(8).map((id) => [id]));
    machine.submit(21);
    machine.submit(22);
    machine.answer(5);
    expect(machine.batches().slice(8)).toEqual([[21], [22], [9]]);
  });

  test("pictures that go apart have a limit of bytes, but for one alone", () => {
    const machine = new Machine();
    const bytes = 60 * 1024 * 1024;
    for (const id of ids(2)) machine.feed({ type: "submit", id, bytes: id === 1 ? bytes : 1, single: true });
    machine.feed({ type: "ready", maxBatch: 8, ...machine.generation });
    expect(machine.batches()).toEqual([[1]]);
    machine.answer(1);
    expect(machine.batches()).toEqual([[1], [2]]);
  });

  test("have a limit of bytes, so that the worker can keep two", () => {
    const machine = new Machine();
    const bytes = 30 * 1024 * 1024;
    for (const id of ids(3)) machine.feed({ type: "submit", id, bytes });
    machine.feed({ type: "ready", maxBatch: 8, ...machine.generation });
    expect(machine.batches()).toEqual([[1], [2]]);
  });
});

describe("stopping", () => {
  test("close lets all calls finish, then stops", () => {
    const machine = new Machine().up();
    machine.submit(1, 2, 3);
    machine.feed({ type: "close" });
    expect(machine.phase).toBe("draining");
    machine.submit(4);
    expect(machine.failures()).toEqual({ 4: "closed" });
    for (const id of [1, 2, 3]) machine.answer(id);
    expect(machine.count("stop")).toBe(1);
    machine.crash();
    expect(machine.phase).toBe("stopped");
    machine.pass(60_000);
    expect(machine.count("spawn")).toBe(1);
  });

  test("close during a start, and while backing off, ends at once", () => {
    const starting = new Machine();
    starting.feed({ type: "start" });
    starting.feed({ type: "close" });
    expect(starting.count("stop")).toBe(1);
    const waiting = new Machine().up();
    waiting.crash();
    waiting.feed({ type: "close" });
    expect(waiting.phase).toBe("stopped");
  });

  test("an idle worker is stopped, and started again by the next call", () => {
    const machine = new Machine({ idleShutdownMs: 5_000 }).up();
    machine.pass(5_100);
    expect(machine.count("stop")).toBe(1);
    machine.crash();
    expect(machine.phase).toBe("idle");
    machine.pass(60_000);
    expect(machine.count("spawn")).toBe(1);
    machine.submit(1);
    machine.feed({ type: "ready", ...machine.generation });
    expect(machine.sent()).toEqual([1]);
  });

  test("a leaking worker is replaced between requests, and nothing is lost or counted as a crash", () => {
    const machine = new Machine().up();
    machine.submit(1, 2, 3);
    machine.feed({ type: "recycle" });
    expect(machine.count("stop")).toBe(0);
    machine.answer(1);
    machine.answer(2);
    expect(machine.count("stop")).toBe(1);
    machine.crash();
    machine.feed({ type: "ready", ...machine.generation });
    expect(machine.sent()).toEqual([1, 2, 3]);
    expect(machine.state.exits).toEqual([]);
  });
});
