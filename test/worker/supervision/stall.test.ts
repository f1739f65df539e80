import { afterEach, expect, test } from "vitest";
import { isStalled } from "../../../src/worker/supervision/stall.ts";
import type { Supervisor } from "../../../src/worker/supervisor.ts";
import { Machine } from "../machine.ts";
import { ask, digest, startStub } from "../stub.ts";

const stalled = ({ state, now }: Machine): boolean => isStalled(state, now);

test("a worker with nothing to do is not stalled, however long", () => {
  const machine = new Machine().up();
  machine.pass(600_000);
  expect(stalled(machine)).toBe(false);
});

test("one that answers nothing for ten times its slowest answer is, until its next answer", () => {
  const machine = new Machine().up();
  machine.submit(1);
  machine.pass(800);
  machine.answer(1);
  machine.submit(2);
  machine.pass(200);
  machine.answer(2);
  machine.submit(3, 4);
  machine.pass(8_000);
  expect(stalled(machine)).toBe(false);
  machine.pass(100);
  expect(stalled(machine)).toBe(true);
  machine.answer(3);
  expect(stalled(machine)).toBe(false);
  // That answer was the slowest now.
  machine.pass(50_000);
  expect(stalled(machine)).toBe(false);
});

test("a part of an answer counts as one: it computes", () => {
  const machine = new Machine().up();
  machine.submit(1);
  machine.pass(900);
  machine.feed({ type: "part", ...machine.generation });
  machine.pass(900);
  expect(stalled(machine)).toBe(false);
  // The slowest part took 900 ms.
  machine.pass(8_100);
  expect(stalled(machine)).toBe(false);
  machine.pass(100);
  expect(stalled(machine)).toBe(true);
});

test("less than a second is noise", () => {
  const machine = new Machine().up();
  machine.submit(1);
  machine.pass(1_000);
  expect(stalled(machine)).toBe(false);
  machine.pass(100);
  expect(stalled(machine)).toBe(true);
});

test("before its first answer the warm-up is what it is measured by", () => {
  const machine = new Machine().up(1, 500);
  machine.submit(1);
  machine.pass(5_000);
  expect(stalled(machine)).toBe(false);
  machine.pass(100);
  expect(stalled(machine)).toBe(true);
});

test("a call whose caller has gone is in flight still", () => {
  const machine = new Machine().up();
  machine.submit(1);
  machine.feed({ type: "cancel", id: 1 });
  machine.pass(1_100);
  expect(stalled(machine)).toBe(true);
});

test("the next worker starts with a clean sheet", () => {
  const machine = new Machine().up();
  machine.submit(1);
  machine.pass(2_000);
  machine.crash();
  expect(stalled(machine)).toBe(false);
  machine.restarted();
  expect(stalled(machine)).toBe(false);
});

test("a controller that slept does not take its own absence for a stall", () => {
  const machine = new Machine().up();
  machine.submit(1);
  machine.now += 3_600_000;
  machine.feed({ type: "tick" });
  expect(stalled(machine)).toBe(false);
});

let supervisor: Supervisor | undefined;
afterEach(() => supervisor?.close(0));

test("health() says that a stalled worker is not ready, and that it is again after its answer", async () => {
  // Without pings nothing but the call tells.
  supervisor = await startStub({ policy: { pingMs: 600_000, silenceMs: 600_000, overdueMs: 600_000 } });
  const health = (): boolean | undefined => supervisor?.health().ready;
  expect(await ask(supervisor, "quick")).toBe(digest("quick"));
  expect(health()).toBe(true);
  const answer = ask(supervisor, "fault:stop");
  await expect.poll(health, { timeout: 30_000 }).toBe(false);
  expect(supervisor.health()).toMatchObject({ phase: "busy", inFlight: 1 });
  process.kill(supervisor.health().pid ?? 0, "SIGCONT");
  expect(await answer).toBe(digest("fault:stop"));
  expect(health()).toBe(true);
});
