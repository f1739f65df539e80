import { describe, expect, test } from "vitest";
import { isFromOutside } from "../../../src/base/crash.ts";
import { Machine } from "../machine.ts";
import { play } from "../world.ts";

/** A call was in the network when somebody ended the worker, and is answered afterwards: nobody's fault, as all can see. */
function killedOnce(): Machine {
  const machine = new Machine().up();
  machine.submit(100);
  machine.killed();
  machine.restarted();
  machine.answer(100);
  return machine;
}

describe("a worker that is ended from outside", () => {
  test("costs a call one more try: three executions, the second and the third alone", () => {
    const machine = new Machine().up(8);
    machine.submit(1, 2);
    machine.killed();
    machine.submit(3);
    machine.restarted();
    machine.killed();
    machine.restarted();
    expect(machine.batches()).toEqual([[1], [2], [1], [1]]);
    machine.answer(1);
    expect(machine.failures()).toEqual({});
    expect(machine.sent().filter((id) => id === 1)).toHaveLength(3);
  });

  test("three times with the same call, and never without it: that call is the poison", () => {
    const machine = new Machine().up();
    machine.submit(1, 2);
    for (let round = 0; round < 3; round++) {
      machine.killed();
      machine.restarted();
    }
    expect(machine.failures()).toEqual({ 1: "poison" });
    machine.answer(2);
    expect(machine.sent()).toEqual([1, 2, 1, 1, 2]);
  });

  test("three times with the same call, and also without it: that call is not blamed", () => {
    for (const before of [killedOnce, idle]) {
      const machine = before();
      machine.submit(1);
      for (let round = 0; round < 3; round++) {
        machine.killed();
        machine.restarted();
      }
      expect(machine.failures()).toEqual({ 1: "killed" });
    }
    function idle(): Machine {
      const machine = new Machine().up();
      machine.killed();
      machine.restarted();
      return machine;
    }
  });

  test("a long time ago says nothing about today", () => {
    const machine = killedOnce();
    machine.pass(machine.policy.exitWindowMs);
    machine.submit(1);
    for (let round = 0; round < 3; round++) {
      machine.killed();
      machine.restarted();
    }
    expect(machine.failures()).toEqual({ 1: "poison" });
  });

  test("with a call that nobody waits for any more proves nothing", () => {
    const machine = new Machine().up();
    machine.submit(1);
    machine.feed({ type: "cancel", id: 1 });
    machine.killed();
    machine.restarted();
    machine.submit(2);
    for (let round = 0; round < 3; round++) {
      machine.killed();
      machine.restarted();
    }
    expect(machine.failures()).toEqual({ 2: "poison" });
  });

  test("counts against nobody whose turn had not come: they wait as before, in their order, and in batches", () => {
    const machine = new Machine();
    machine.submit(1, 2, 3, 4, 5, 6);
    machine.feed({ type: "ready", maxBatch: 2, sequential: true, ...machine.generation });
    expect(machine.batches()).toEqual([
      [1, 2],
      [3, 4],
    ]);
    machine.killed();
    expect(machine.state.suspects.map(({ id }) => id)).toEqual([1, 2]);
    expect(machine.state.waiting.map(({ id, executions }) => [id, executions])).toEqual([
      [3, 0],
      [4, 0],
      [5, 0],
      [6, 0],
    ]);
    machine.restarted(2);
    for (const id of [1, 2, 3, 4]) machine.answer(id);
    expect(machine.batches().slice(2)).toEqual([[1], [2], [3, 4], [5, 6]]);
  });

  test("counts against all that it had where it computes several batches at a time, or decodes beside the network", () => {
    const gpu = new Machine();
    gpu.feed({ type: "start" });
    gpu.feed({ type: "ready", ...gpu.generation });
    gpu.submit(1, 2);
    gpu.killed();
    expect(gpu.state.suspects.map(({ id }) => id)).toEqual([1, 2]);
    const decoding = new Machine().up();
    decoding.feed({ type: "submit", id: 1, bytes: 1, single: true });
    decoding.submit(2);
    decoding.killed();
    expect(decoding.state.suspects.map(({ id }) => id)).toEqual([1, 2]);
  });

  test("opens the circuit as any other end does", () => {
    const machine = new Machine({ maxExits: 1 }).up();
    machine.killed();
    machine.restarted();
    machine.submit(1);
    machine.killed();
    expect(machine.failures()).toEqual({ 1: "circuit-open" });
  });

  test("with redelivery switched off fails what it had", () => {
    const machine = new Machine({ redelivery: "never" }).up();
    machine.submit(1, 2, 3);
    machine.killed();
    expect(machine.failures()).toEqual({ 1: "died", 2: "died" });
  });
});

describe("a worker that crashes, or is killed here", () => {
  test("in between is the last: a call that dies again alone is the poison, whoever ended the worker before", () => {
    const machine = killedOnce();
    machine.submit(1);
    machine.killed();
    machine.restarted();
    machine.crash();
    expect(machine.failures()).toEqual({ 1: "poison" });
  });

  test("because it hangs was not ended from outside", () => {
    const machine = killedOnce();
    machine.submit(1);
    for (let round = 0; round < 2; round++) {
      machine.pass(60_100);
      expect(machine.effects.at(-1)).toEqual({ type: "kill", reason: "overdue" });
      machine.killed();
      machine.restarted();
    }
    expect(machine.failures()).toEqual({ 1: "poison" });
  });
});

describe("under a kill from outside every 2 to 5 s", () => {
  const killed = { killMs: [2_000, 5_000], callMs: [100, 1_500], callers: 8, forMs: 120_000 } as const;
  const policy = { restartDelaysMs: [20], maxExits: 1_000_000 };

  test.each([1, 8])(
    "no call of 0.1 to 1.5 s is lost where starts are quick, batches of up to %i",
    (maxBatch) => {
      for (let seed = 0; seed < 30; seed++) {
        const { failures, succeeded, kills, executions } = play({
          ...killed,
          seed,
          policy,
          startMs: [200, 400],
          maxBatch,
        });
        expect([...failures], `seed ${seed}`).toEqual([]);
        expect(kills).toBeGreaterThan(20);
        expect(succeeded).toBeGreaterThan(50);
        expect(Math.max(...executions.values())).toBeLessThanOrEqual(3);
      }
    },
  );

  test("a call that crashes the worker is found out, and nobody else is called so", () => {
    const crashes = (id: number): boolean => id % 25 === 7;
    let blamed = 0;
    for (let seed = 0; seed < 30; seed++) {
      const world = { ...killed, seed, policy, startMs: [200, 400], maxBatch: 4, crashes } as const;
      const { failures, executions } = play(world);
      for (const [id, failure] of failures)
        expect([seed, failure, crashes(id)]).toEqual([seed, "poison", true]);
      for (const id of failures.keys()) expect(executions.get(id)).toBeLessThanOrEqual(3);
      blamed += failures.size;
    }
    expect(blamed).toBeGreaterThan(30);
  });

  test("where a start takes as long as the worker lives, calls may be lost; hardly one is called poison", () => {
    const counts = { poison: 0, killed: 0 };
    for (let seed = 0; seed < 30; seed++) {
      const world = { ...killed, seed, policy, startMs: [2_000, 4_000], maxBatch: 8 } as const;
      const { failures, executions } = play(world);
      for (const failure of failures.values())
        if (failure in counts) counts[failure as keyof typeof counts] += 1;
      expect(Math.max(...executions.values())).toBeLessThanOrEqual(3);
    }
    // Only who was hit by each kill so far, three of them: nothing tells it from a poison.
    expect(counts.poison).toBeLessThan(10);
    expect(counts.killed).toBeGreaterThan(50);
  });
});

test.each([
  ["SIGKILL", "", true],
  ["SIGTERM", "Loading\n", true],
  ["SIGINT", "", true],
  ["SIGHUP", "", true],
  ["SIGSEGV", "", false],
  ["SIGBUS", "", false],
  ["SIGABRT", "", false],
  ["SIGFPE", "", false],
  ["SIGILL", "", false],
  ["SIGXCPU", "", false],
  ["SIGKILL", "Fatal Python error: Segmentation fault\n\nCurrent thread 0x1", false],
] as const)("the end by %s with %j on stderr is from outside: %s", (signal, stderr, outside) => {
  expect(isFromOutside({ code: null, signal, stderr })).toBe(outside);
});

test.each([
  [0, false],
  [1, false],
  [70, false],
  [0x4001_0004, true],
  [0xc000_013a, true],
  [0xc000_0005, false],
])("the end with exit code %i is from outside: %s", (code, outside) => {
  expect(isFromOutside({ code, signal: null, stderr: "" })).toBe(outside);
});
