import type { SupervisionPolicy } from "../../src/worker/supervision/policy.ts";
import type { Event, Failure } from "../../src/worker/supervision/state.ts";
import { Random } from "../image/random.ts";
import { Machine } from "./machine.ts";

/** A worker under load on the virtual clock: it starts, computes one batch after the other, and is ended from outside. */
export interface WorldOptions {
  readonly seed: number;
  readonly policy: Partial<SupervisionPolicy>;
  /** Milliseconds that a start takes, from and to. */
  readonly startMs: readonly [number, number];
  /** Milliseconds that a call takes, from and to. */
  readonly callMs: readonly [number, number];
  /** Milliseconds between two kills from outside, from and to. */
  readonly killMs: readonly [number, number];
  readonly callers: number;
  readonly forMs: number;
  readonly maxBatch: number;
  /** A call that crashes the worker whenever it is computed. */
  readonly crashes?: (id: number) => boolean;
}

export interface Outcome {
  readonly succeeded: number;
  readonly failures: ReadonlyMap<number, Failure>;
  readonly kills: number;
  /** How often the network was begun with each call. */
  readonly executions: ReadonlyMap<number, number>;
}

const STEP_MS = 50;

export function play(options: WorldOptions): Outcome {
  const { seed, startMs, callMs, killMs, maxBatch, crashes = () => false } = options;
  const random = new Random(seed);
  const machine = new Machine(options.policy);
  const failures = new Map<number, Failure>();
  const executions = new Map<number, number>();
  let [succeeded, kills, lastId, alive] = [0, 0, 0, false];
  let upAt = Infinity;
  let doneAt = Infinity;
  let computing: number[] = [];
  let queue: number[][] = [];
  let open: number[] = [];

  const feed = (event: Event): void => {
    for (const effect of machine.feed(event)) {
      if (effect.type === "spawn") [alive, upAt] = [true, machine.now + random.integer(...startMs)];
      if (effect.type === "fail") failures.set(effect.id, effect.failure);
      if (effect.type === "send") open.push(effect.id);
      if (effect.type === "send" && effect.following === 0) [queue, open] = [[...queue, open], []];
    }
  };
  const end = (outside: boolean): void => {
    if (!alive) return;
    [alive, upAt, doneAt, computing, queue] = [false, Infinity, Infinity, [], []];
    feed({ type: "exit", fatal: false, outside, ...machine.generation });
  };
  const begin = (): void => {
    const [next, ...rest] = queue;
    if (next === undefined || computing.length > 0) return;
    [computing, queue, doneAt] = [next, rest, machine.now + random.integer(...callMs)];
    for (const id of next) executions.set(id, (executions.get(id) ?? 0) + 1);
  };
  const finish = (): void => {
    if (computing.some(crashes)) return end(false);
    const answers = computing;
    [computing, doneAt] = [[], Infinity];
    for (const id of answers) {
      succeeded += 1;
      feed({ type: "answered", id, ...machine.generation });
    }
  };

  for (let killAt = random.integer(...killMs); machine.now < options.forMs; machine.now += STEP_MS) {
    if (machine.now >= upAt) {
      upAt = Infinity;
      feed({ type: "ready", maxBatch, sequential: true, ...machine.generation });
    }
    while (lastId - succeeded - failures.size < options.callers)
      feed({ type: "submit", id: ++lastId, bytes: 1 });
    begin();
    if (machine.now >= doneAt) finish();
    if (alive) feed({ type: "heard", ...machine.generation });
    feed({ type: "tick" });
    if (machine.now >= killAt) {
      killAt = machine.now + random.integer(...killMs);
      if (alive) kills += 1;
      end(true);
    }
  }
  return { succeeded, failures, kills, executions };
}
