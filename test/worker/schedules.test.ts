/** `npm run fuzz:schedules` runs 100,000. */
import { test } from "vitest";
import { phaseOf } from "../../src/worker/supervision/supervise.ts";
import type { Event } from "../../src/worker/supervision/state.ts";
import { Random } from "../image/random.ts";
import { Machine } from "./machine.ts";

/** What `npm run mutants` takes out, and this notices, shows before the 30th. */
const SCHEDULES = Number(process.env["ISOTORCH_SCHEDULES"] ?? 5_000);

/** Runs one random schedule and throws at the first broken invariant. */
function schedule(seed: number): void {
  const random = new Random(seed);
  const chance = (share: number): boolean => random.next() < share;
  const machine = new Machine({
    maxExits: random.integer(0, 8),
    maxRequests: random.integer(1, 12),
    maxInFlight: random.integer(1, 3),
    batchSize: random.integer(0, 4),
    batchDelayMs: chance(0.3) ? random.integer(1, 500) : 0,
    idleShutdownMs: chance(0.3) ? 3_000 : 0,
    redelivery: chance(0.8) ? "once" : "never",
  });
  const maxBatch = random.integer(1, 6);
  const sequential = chance(0.7);
  const outcomes = new Map<number, number>();
  const executions = new Map<number, number>();
  /** Calls whose last execution somebody ended from outside. */
  const outside = new Set<number>();
  /** Calls that no other worker may have once one had begun with them. */
  const once = new Set<number>();
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
        const { executions: counted = 0 } = machine.state.flight.find(({ id }) => id === effect.id) ?? {};
        if (counted > 3) throw new Error("a fourth execution");
        if (counted === 3 && !outside.has(effect.id))
          throw new Error("a third execution after its own crash");
        if (counted > 1 && once.has(effect.id)) throw new Error("made anew, which it cannot be");
        // Sent and not begun does not count, and cannot go on for ever: who was spared comes first.
        if (count > 3 + machine.policy.maxInFlight) throw new Error("sent for ever");
        if (cancelled.has(effect.id)) throw new Error("a cancelled call was sent");
      } else if (effect.type === "fail") {
        settle(effect.id);
        if (effect.failure === "killed" && !outside.has(effect.id)) throw new Error("an own crash excused");
      }
    }
    const { flight } = machine.state;
    if (flight.length > 1 && flight.some((call) => call.executions > 1))
      throw new Error("a call that runs again has company");
    const sizes = new Map<number, number>();
    for (const { batch, single } of flight) if (!single) sizes.set(batch, (sizes.get(batch) ?? 0) + 1);
    if (sizes.size > machine.policy.maxInFlight) throw new Error("too many batches in flight");
    const largest = Math.min(maxBatch, machine.policy.batchSize || maxBatch);
    if (Math.max(0, ...sizes.values()) > largest) throw new Error("a batch that is too large");
  };
  const exit = (fatal: boolean): void => {
    if (alive === 0) return;
    alive = 0;
    const isOutside = !fatal && chance(0.5);
    for (const { id } of machine.state.flight) {
      if (isOutside && !machine.state.asked) outside.add(id);
      else outside.delete(id);
    }
    feed({ type: "exit", fatal, outside: isOutside, ...machine.generation });
  };
  const step = (id: number): void => {
    const { flight, process, asked } = machine.state;
    const call = flight[random.integer(0, Math.max(0, flight.length - 1))];
    const at = random.next();
    if (at < 0.3 && !closed) {
      submitted.add(id);
      const replayable = chance(0.8);
      if (!replayable) once.add(id);
      feed({ type: "submit", id, bytes: 10, single: chance(0.2), replayable });
    } else if (at < 0.55 && call !== undefined && alive > 0) {
      if (!call.settled) settle(call.id);
      feed({ type: "answered", id: call.id, ...machine.generation });
    } else if (at < 0.6 && call !== undefined && alive > 0) feed({ type: "part", ...machine.generation });
    else if (at < 0.7 && alive > 0 && process !== "up")
      feed({ type: "ready", maxBatch, sequential, ...machine.generation });
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
    else if (alive > 0 && process !== "up")
      feed({ type: "ready", maxBatch, sequential, ...machine.generation });
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

test("random schedules keep every invariant: one process, one outcome per call, at most three executions", () => {
  for (let seed = 0; seed < SCHEDULES; seed++) {
    try {
      schedule(seed);
    } catch (error) {
      throw new Error(`seed ${seed}: ${String(error)}`, { cause: error });
    }
  }
});
