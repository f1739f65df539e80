import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { DEFAULT_POLICY } from "../../src/worker/supervision/policy.ts";
import type { SupervisionPolicy } from "../../src/worker/supervision/policy.ts";
import { Pool } from "../../src/worker/pool.ts";
import type { Start } from "../../src/worker/pool.ts";
import type { Phase } from "../../src/backend.ts";
import { codeOf, failureOf } from "../failure.ts";
import { lastOf } from "../../src/base/async/written.ts";
import { asPicture, digest, stubStart } from "./stub.ts";

let folder: string;
let pool: Pool | undefined;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "isotorch-pool-"));
});
afterEach(async () => {
  await pool?.close(0);
  pool = undefined;
  expect(readdirSync(tmpdir()).filter((name) => name.startsWith(`isotorch-${process.pid}-`))).toEqual([]);
  rmSync(folder, { recursive: true });
});

interface Member {
  readonly name: string;
  readonly fault?: string;
  readonly policy?: Partial<SupervisionPolicy>;
}

function start({ name, fault = "none", policy = {} }: Member): Start {
  const journal = join(folder, name);
  writeFileSync(journal, "");
  return {
    policy: { ...DEFAULT_POLICY, restartDelaysMs: [20], ...policy },
    start: stubStart({ fault, journal, workMs: 30 }),
  };
}

/** What the pool answers to a text. */
async function asked(two: Pool, text: string): Promise<number | undefined> {
  return (await lastOf(two.run("classify", asPicture(text)))).scores[0];
}

async function startPool(members: readonly Member[], onPhase: (phase: Phase) => void = () => undefined) {
  const [first = { name: "a" }, ...others] = members;
  pool = await Pool.start(start(first), () => others.map(start), onPhase);
  return pool;
}

const runs = (name: string): number =>
  readFileSync(join(folder, name), "utf8")
    .split("\n")
    .filter((line) => line.startsWith("run")).length;

test("calls are shared between the workers, and each gets its own answer", async () => {
  const two = await startPool([{ name: "a" }, { name: "b" }]);
  const texts = Array.from({ length: 12 }, (_, index) => `picture ${index}`);
  expect(await Promise.all(texts.map((text) => asked(two, text)))).toEqual(texts.map(digest));
  expect([runs("a"), runs("b")]).toEqual([6, 6]);
  expect(two.health()).toMatchObject({ phase: "ready", ready: true, starts: 2, waiting: 0, inFlight: 0 });
  expect(two.health().workers).toHaveLength(2);
  expect(two.stats()).toMatchObject({ submitted: 12, succeeded: 12, failed: 0, batches: 12 });
});

test("while one worker is away the other answers, and the pool stays ready", async () => {
  const phases: Phase[] = [];
  const two = await startPool(
    [{ name: "a", policy: { restartDelaysMs: [60_000] } }, { name: "b" }],
    (phase) => phases.push(phase),
  );
  process.kill(two.health().workers[0]?.pid ?? 0, "SIGKILL");
  await expect.poll(() => two.health().workers[0]?.phase).toBe("backing-off");
  expect(await Promise.all(["x", "y", "z"].map((text) => asked(two, text)))).toEqual(
    ["x", "y", "z"].map(digest),
  );
  expect([runs("a"), runs("b")]).toEqual([0, 3]);
  expect(two.health()).toMatchObject({ ready: true, phase: "ready" });
  expect(phases).not.toContain("backing-off");
});

test("a worker whose circuit is open, or whose queue is full, is passed over", async () => {
  const two = await startPool([{ name: "a", policy: { maxExits: 0 } }, { name: "b" }]);
  process.kill(two.health().workers[0]?.pid ?? 0, "SIGKILL");
  await expect.poll(() => two.health().workers[0]?.phase).toBe("open");
  expect(await asked(two, "picture")).toBe(digest("picture"));
  expect(runs("b")).toBe(1);
});

test("a call that was sent goes to no other worker: its poison kills only the one that has it", async () => {
  const two = await startPool([{ name: "a" }, { name: "b" }]);
  expect(await codeOf(asked(two, "fault:sigkill"))).toBe("POISON_INPUT");
  expect([runs("a"), runs("b")]).toEqual([3, 0]);
});

test("where none can take a call, the last reason is the caller's", async () => {
  const full = { maxRequests: 1 };
  const two = await startPool([
    { name: "a", policy: full },
    { name: "b", policy: full },
  ]);
  const accepted = [asked(two, "x"), asked(two, "y")];
  expect(await codeOf(asked(two, "z"))).toBe("QUEUE_FULL");
  expect(await Promise.all(accepted)).toEqual(["x", "y"].map(digest));
});

test("a second worker that cannot start fails the whole, with its reason, and leaves nothing", async () => {
  const error = await failureOf(startPool([{ name: "a" }, { name: "b", fault: "refuses-load" }]));
  expect(error.code).toBe("CHECKPOINT_CORRUPT");
});

test("a closed pool refuses at once", async () => {
  const two = await startPool([{ name: "a" }, { name: "b" }]);
  const last = asked(two, "last");
  await two.close();
  expect(await last).toBe(digest("last"));
  expect(await codeOf(asked(two, "late"))).toBe("CLOSED");
  expect(two.health()).toMatchObject({ phase: "stopped", ready: false });
});
