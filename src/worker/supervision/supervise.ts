/**
 * The supervision as one pure function, `(state, event) → (state, effects)`, on a clock that the events carry:
 * no process, no timer, no randomness. `supervisor.ts` turns its effects into deeds.
 */
import { advance, endingAs, isKilled, openCalls } from "./advance.ts";
import { exited } from "./exit.ts";
import type { Exit } from "./exit.ts";
import type { SupervisionPolicy } from "./policy.ts";
import { NO_SUSPICION, acquitted, withdrawn } from "./suspicion.ts";
import type { Suspicion } from "./suspicion.ts";

export { openCalls, wakeAt } from "./advance.ts";

/** What `health()` reports; derived by {@link phaseOf}. */
export type Phase =
  | "idle" // no process; the next call starts one
  | "starting" // spawned, no `hello` yet
  | "loading" // `hello` came, no `ready` yet
  | "ready" // nothing to do
  | "busy" // requests are at the worker
  | "backing-off" // waiting before a restart
  | "open" // the circuit is open: calls fail at once
  | "draining" // closing; the last calls finish
  | "stopped" // closed, and the process is gone
  | "failed"; // it cannot start, and nothing will mend that by itself

/** One call as the supervision sees it. */
export interface Call {
  readonly id: number;
  readonly bytes: number;
  /** It goes apart from the batches. */
  readonly single: boolean;
  /** When it was submitted. */
  readonly since: number;
  /** Which batch it went with; 0 while it waits. */
  readonly batch: number;
  /** How often it was executed, or may have been; never more than three times. */
  readonly executions: number;
  /** The caller has its outcome already: the call is at the worker still, and of no interest afterwards. */
  readonly settled: boolean;
}

export interface State {
  /** Counts the starts; whatever an earlier one says is dropped. */
  readonly generation: number;
  readonly process: "none" | "starting" | "loading" | "up";
  /** Why a process that is up takes nothing more: it is being asked to stop, or being killed. */
  readonly ending: "recycle" | "idle" | "close" | "silent" | "overdue" | undefined;
  /** Whether it was asked to stop, or killed, already. */
  readonly asked: boolean;
  readonly circuit: "closed" | "open" | "half-open";
  /** A process is to be there also while nobody calls; not so before the first call and after idling. */
  readonly wanted: boolean;
  readonly closing: boolean;
  readonly failed: boolean;
  /** Pictures that the worker takes at once, from its `ready`. */
  readonly workerBatch: number;
  /** Whether the worker begins with a batch only when the one before is answered, from its `ready`. */
  readonly sequential: boolean;
  /** Milliseconds that its slowest answer took, its warm-up included. */
  readonly slowestMs: number;
  readonly lastBatch: number;
  readonly waiting: readonly Call[];
  readonly flight: readonly Call[];
  /** Calls that were in flight when a worker died; they go again one at a time, each alone. */
  readonly suspects: readonly Call[];
  /** What is known of ends from outside. */
  readonly suspicion: Suspicion;
  /** When unplanned exits happened, those within the window. */
  readonly exits: readonly number[];
  /** Restart delays used in a row. */
  readonly strikes: number;
  /** A process may be started from then on. */
  readonly retryAt: number;
  /** How long the circuit opens the next time, milliseconds. */
  readonly openMs: number;
  readonly heardAt: number;
  readonly readyAt: number;
  /** When the last call came or was answered. */
  readonly activeAt: number;
  /** Since when the worker computes without an answer; undefined while nothing is in flight. */
  readonly busySince: number | undefined;
  readonly pingedAt: number;
  readonly tickedAt: number;
}

/** Why a call ended without an answer of its own. */
export type Failure = "closed" | "queue-full" | "circuit-open" | "poison" | "killed" | "died" | "failed";

export type Event =
  | { readonly type: "submit"; readonly id: number; readonly bytes: number; readonly single?: boolean }
  | { readonly type: "cancel"; readonly id: number }
  /** Start without waiting for a call. */
  | { readonly type: "start" }
  | { readonly type: "answered"; readonly id: number; readonly generation: number }
  | { readonly type: "loading"; readonly generation: number }
  | {
      readonly type: "ready";
      readonly generation: number;
      readonly maxBatch?: number;
      readonly sequential?: boolean;
      readonly warmupMs?: number;
    }
  | { readonly type: "heard"; readonly generation: number }
  /** The process is gone and reaped. */
  | ({ readonly type: "exit"; readonly generation: number } & Exit)
  | { readonly type: "recycle" }
  | { readonly type: "close" }
  /** The time of {@link wakeAt} has come. */
  | { readonly type: "due" }
  | { readonly type: "tick" };

export type Effect =
  | { readonly type: "spawn"; readonly generation: number }
  /** `following`: how many of its batch are sent right behind it. */
  | { readonly type: "send"; readonly id: number; readonly following: number }
  | { readonly type: "fail"; readonly id: number; readonly failure: Failure }
  | { readonly type: "ping" }
  | { readonly type: "stop" }
  | { readonly type: "kill"; readonly reason: "silent" | "overdue" };

export type Step = readonly [state: State, effects: readonly Effect[]];

/** What a step is taken at. */
export interface At {
  /** Milliseconds on a clock that never goes back. */
  readonly now: number;
  /** -1 to 1, drawn by the driver: how much of the 20 % of jitter a delay gets. */
  readonly jitter: number;
  readonly policy: SupervisionPolicy;
}

export function initialState(now: number, policy: SupervisionPolicy): State {
  return {
    generation: 0,
    process: "none",
    ending: undefined,
    asked: false,
    circuit: "closed",
    wanted: false,
    closing: false,
    failed: false,
    workerBatch: 1,
    sequential: false,
    slowestMs: 0,
    lastBatch: 0,
    waiting: [],
    flight: [],
    suspects: [],
    suspicion: NO_SUSPICION,
    exits: [],
    strikes: 0,
    retryAt: now,
    openMs: policy.openMs,
    heardAt: now,
    readyAt: now,
    activeAt: now,
    busySince: undefined,
    pingedAt: now,
    tickedAt: now,
  };
}

/** One word for where the worker is in its life. */
export function phaseOf(state: State): Phase {
  if (state.closing) return state.process === "none" && openCalls(state) === 0 ? "stopped" : "draining";
  if (state.failed) return "failed";
  if (state.circuit === "open") return "open";
  if (state.process === "up") return state.flight.length > 0 ? "busy" : "ready";
  if (state.process !== "none") return state.process;
  return state.wanted || openCalls(state) > 0 ? "backing-off" : "idle";
}

export function supervise(state: State, event: Event, at: At): Step {
  if ("generation" in event && event.generation !== state.generation) return [state, []];
  switch (event.type) {
    case "submit":
      return submit(state, event, at);
    case "cancel":
      return advance(withoutInterest(state, event.id), [], at);
    case "answered":
      return answered(state, event.id, at);
    case "start":
      return advance({ ...state, wanted: true }, [], at);
    case "loading":
      return [{ ...state, process: "loading", heardAt: at.now }, []];
    case "ready":
      return ready(state, event, at);
    case "heard":
      return [{ ...state, heardAt: at.now }, []];
    case "exit":
      return exited(state, event, at);
    case "recycle":
      return state.process === "up" ? advance(endingAs(state, "recycle"), [], at) : [state, []];
    case "close":
      return advance({ ...state, closing: true }, [], at);
    case "due":
      return advance(state, [], at);
    case "tick":
      return tick(state, at);
  }
}

function ready(
  state: State,
  { maxBatch = 1, sequential = false, warmupMs = 0 }: Extract<Event, { type: "ready" }>,
  at: At,
): Step {
  const { now } = at;
  const worker = { workerBatch: maxBatch, sequential, slowestMs: warmupMs };
  return advance({ ...state, ...worker, process: "up", heardAt: now, readyAt: now, activeAt: now }, [], at);
}

function submit(
  state: State,
  { id, bytes, single = false }: { id: number; bytes: number; single?: boolean },
  at: At,
): Step {
  const refuse = (failure: Failure): Step => [state, [{ type: "fail", id, failure }]];
  if (state.closing) return refuse("closed");
  if (state.failed) return refuse("failed");
  if (state.circuit === "open") return refuse("circuit-open");
  const held = [...state.waiting, ...state.flight, ...state.suspects];
  const total = held.reduce((sum, call) => sum + call.bytes, bytes);
  // A call alone always fits: the size of one picture has a limit of its own.
  const full = held.length >= at.policy.maxRequests || (held.length > 0 && total > at.policy.maxBytes);
  if (full) return refuse("queue-full");
  const call: Call = { id, bytes, single, since: at.now, batch: 0, executions: 0, settled: false };
  return advance({ ...state, waiting: [...state.waiting, call], activeAt: at.now }, [], at);
}

/** The caller has gone: what waits is forgotten, what is at the worker stays there without being wanted. */
function withoutInterest(state: State, id: number): State {
  return {
    ...state,
    waiting: state.waiting.filter((call) => call.id !== id),
    suspects: state.suspects.filter((call) => call.id !== id),
    flight: state.flight.map((call) => (call.id === id ? { ...call, settled: true } : call)),
    suspicion: withdrawn(state.suspicion, id),
  };
}

function answered(state: State, id: number, at: At): Step {
  const flight = state.flight.filter((call) => call.id !== id);
  if (flight.length === state.flight.length) return [state, []];
  const steady = at.now - state.readyAt >= at.policy.steadyMs;
  const healed = steady || state.circuit === "half-open";
  const next: State = {
    ...state,
    flight,
    suspicion: acquitted(state.suspicion, id),
    slowestMs: Math.max(state.slowestMs, at.now - (state.busySince ?? at.now)),
    circuit: "closed",
    strikes: steady ? 0 : state.strikes,
    openMs: healed ? at.policy.openMs : state.openMs,
    heardAt: at.now,
    activeAt: at.now,
    busySince: flight.length > 0 ? at.now : undefined,
  };
  return advance(next, [], at);
}

function tick(state: State, at: At): Step {
  const { now, policy } = at;
  // A gap in the ticks is a controller that was itself stopped, a laptop asleep: that silence was ours.
  const slept = now - state.tickedAt > Math.max(3 * policy.pingMs, policy.silenceMs / 2);
  const exits = state.exits.filter((time) => now - time < policy.exitWindowMs);
  const ticked: State = { ...state, tickedAt: now, exits };
  if (slept) {
    const busySince = state.busySince === undefined ? undefined : now;
    return advance({ ...ticked, heardAt: now, busySince }, [], at);
  }
  if (state.process !== "up" || isKilled(state)) return advance(ticked, [], at);
  if (now - state.heardAt >= policy.silenceMs) return kill(ticked, "silent");
  if (state.busySince !== undefined && now - state.busySince >= policy.overdueMs)
    return kill(ticked, "overdue");
  const idleFor = state.flight.length === 0 && openCalls(state) === 0 ? now - state.activeAt : 0;
  if (policy.idleShutdownMs > 0 && idleFor >= policy.idleShutdownMs) {
    return advance(endingAs(ticked, "idle"), [], at);
  }
  if (now - state.pingedAt < policy.pingMs) return advance(ticked, [], at);
  return advance({ ...ticked, pingedAt: now }, [{ type: "ping" }], at);
}

function kill(state: State, reason: "silent" | "overdue"): Step {
  return [{ ...state, ending: reason, asked: true }, [{ type: "kill", reason }]];
}
