import { describe, expect, test } from "vitest";
import { DEFAULT_POLICY } from "../../src/worker/policy.ts";
import type { SupervisionPolicy } from "../../src/worker/policy.ts";
import { initialState, openCalls, phaseOf, supervise } from "../../src/worker/supervise.ts";
import type { Effect, Event, State } from "../../src/worker/supervise.ts";
import { Random } from "../image/random.ts";

/** The reducer on a virtual clock, with what it asked for so far. */
class Machine {
  state: State;
  now = 0;
  effects: Effect[] = [];
  readonly policy: SupervisionPolicy;

  constructor(over: Partial<SupervisionPolicy> = {}) {
    this.policy = { ...DEFAULT_POLICY, ...over };
    this.state = initialState(0, this.policy);
  }

  feed(event: Event): readonly Effect[] {
    const [state, effects] = supervise(this.state, event, { now: this.now, jitter: 0, policy: this.policy });
    this.state = state;
    this.effects.push(...effects);
    return effects;
  }

  /** Ticks on for so many milliseconds; a worker that is up answers its pings. */
  pass(ms: number, { answering = true }: { answering?: boolean } = {}): void {
    for (const end = this.now + ms; this.now < end;) {
      this.now = Math.min(end, this.now + 100);
      const effects = this.feed({ type: "tick" });
      const pinged = effects.some(({ type }) => type === "ping");
      if (answering && (pinged || this.state.flight.length > 0))
        this.feed({ type: "heard", ...this.generation });
    }
  }

  get generation(): { generation: number } {
    return { generation: this.state.generation };
  }

  up(): this {
    this.feed({ type: "start" });
    this.feed({ type: "ready", ...this.generation });
    return this;
  }

  submit(...ids: number[]): void {
    for (const id of ids) this.feed({ type: "submit", id, bytes: 1000 });
  }

  answer(id: number): void {
    this.feed({ type: "answered", id, ...this.generation });
  }

  crash(fatal = false): void {
    this.feed({ type: "exit", fatal, ...this.generation });
  }

  restarted(): void {
    this.pass(20_000);
    this.feed({ type: "ready", ...this.generation });
  }

  get phase(): string {
    return phaseOf(this.state);
  }

  sent(): number[] {
    return this.effects.flatMap((effect) => (effect.type === "send" ? [effect.id] : []));
  }

  failures(): Record<number, string> {
    return Object.fromEntries(
      this.effects.flatMap((effect) => (effect.type === "fail" ? [[effect.id, effect.failure]] : [])),
    );
  }

  count(type: Effect["type"]): number {
    return this.effects.filter((effect) => effect.type === type).length;
  }
}

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

/** Runs one random schedule and throws at the first broken invariant. */
function schedule(seed: number): void {
  const random = new Random(seed);
  const chance = (share: number): boolean => random.next() < share;
  const machine = new Machine({
    maxExits: random.integer(0, 8),
    maxRequests: random.integer(1, 12),
    maxInFlight: random.integer(1, 3),
    idleShutdownMs: chance(0.3) ? 3_000 : 0,
    redelivery: chance(0.8) ? "once" : "never",
  });
  const outcomes = new Map<number, number>();
  const executions = new Map<number, number>();
  const submitted = new Set<number>();
  const cancelled = new Set<number>();
  let alive = 0;
  let closed = false;
  const settle = (id: number): void => void outcomes.set(id, (outcomes.get(id) ?? 0) + 1);
  const feed = (event: Event): void => {
    for (const effect of machine.feed(event)) {
      if (effect.type === "spawn") {
        alive += 1;
        if (alive > 1) throw new Error("two processes at a time");
      } else if (effect.type === "send") {
        const count = (executions.get(effect.id) ?? 0) + 1;
        executions.set(effect.id, count);
        if (machine.state.process !== "up") throw new Error("sent to no worker");
        if (count > 2) throw new Error("a third execution");
        if (count === 2 && machine.state.flight.length > 1) throw new Error("a suspect with company");
        if (cancelled.has(effect.id)) throw new Error("a cancelled call was sent");
      } else if (effect.type === "fail") settle(effect.id);
    }
    if (machine.state.flight.length > machine.policy.maxInFlight) throw new Error("too many in flight");
  };
  const exit = (fatal: boolean): void => {
    if (alive === 0) return;
    alive = 0;
    feed({ type: "exit", fatal, ...machine.generation });
  };
  const step = (id: number): void => {
    const { flight, process, asked } = machine.state;
    const call = flight[0];
    const at = random.next();
    if (at < 0.3 && !closed) {
      submitted.add(id);
      feed({ type: "submit", id, bytes: 10 });
    } else if (at < 0.55 && call !== undefined && alive > 0) {
      if (!call.settled) settle(call.id);
      feed({ type: "answered", id: call.id, ...machine.generation });
    } else if (at < 0.7 && alive > 0 && process !== "up") feed({ type: "ready", ...machine.generation });
    else if (at < 0.75 || (asked && at < 0.9)) exit(chance(0.02));
    else if (at < 0.8) {
      const open = [...submitted].filter((one) => !outcomes.has(one));
      const chosen = open[random.integer(0, Math.max(0, open.length - 1))];
      if (chosen !== undefined) {
        cancelled.add(chosen);
        settle(chosen);
        feed({ type: "cancel", id: chosen });
      }
    } else if (at < 0.81) feed({ type: "recycle" });
    else if (at < 0.815) {
      closed = true;
      feed({ type: "close" });
    } else {
      machine.now += random.integer(1, chance(0.05) ? 20_000 : 900);
      feed({ type: "tick" });
      if (alive > 0 && chance(0.9)) feed({ type: "heard", ...machine.generation });
    }
  };
  for (let id = 1; id <= 80; id++) step(id);
  // Then all is well: workers start, answer, and the classifier is closed.
  feed({ type: "close" });
  for (let rounds = 0; phaseOf(machine.state) !== "stopped"; rounds++) {
    if (rounds > 5_000) throw new Error(`stuck in ${phaseOf(machine.state)}`);
    const { flight, process, asked } = machine.state;
    const call = flight[0];
    if (alive > 0 && asked) exit(false);
    else if (alive > 0 && process !== "up") feed({ type: "ready", ...machine.generation });
    else if (call !== undefined) {
      if (!call.settled) settle(call.id);
      feed({ type: "answered", id: call.id, ...machine.generation });
    } else {
      machine.now += 500;
      feed({ type: "tick" });
      if (alive > 0) feed({ type: "heard", ...machine.generation });
    }
  }
  if (alive > 0) throw new Error("a process is left");
  for (const id of submitted) {
    if (outcomes.get(id) !== 1) throw new Error(`call ${id} settled ${outcomes.get(id) ?? 0} times`);
  }
}

test("100,000 random schedules keep every invariant: one process, one outcome per call, at most two executions", () => {
  for (let seed = 0; seed < 100_000; seed++) {
    try {
      schedule(seed);
    } catch (error) {
      throw new Error(`seed ${seed}: ${String(error)}`, { cause: error });
    }
  }
});
