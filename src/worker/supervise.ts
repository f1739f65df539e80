/**
 * The supervision as one pure function, `(state, event) → (state, effects)`, on a clock that the events carry:
 * no process, no timer, no randomness. `supervisor.ts` turns its effects into deeds.
 */
import { dueAt, nextCalls } from "./batch.ts";
import type { BatchLimits } from "./batch.ts";
import type { SupervisionPolicy } from "./policy.ts";

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
  /** How often it was sent to a worker; never more than twice. */
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
  readonly lastBatch: number;
  readonly waiting: readonly Call[];
  readonly flight: readonly Call[];
  /** Calls that were in flight when a worker died; they go again one at a time, each alone. */
  readonly suspects: readonly Call[];
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
export type Failure = "closed" | "queue-full" | "circuit-open" | "poison" | "died" | "failed";

export type Event =
  | { readonly type: "submit"; readonly id: number; readonly bytes: number; readonly single?: boolean }
  | { readonly type: "cancel"; readonly id: number }
  /** Start without waiting for a call. */
  | { readonly type: "start" }
  | { readonly type: "answered"; readonly id: number; readonly generation: number }
  | { readonly type: "loading"; readonly generation: number }
  | { readonly type: "ready"; readonly generation: number; readonly maxBatch?: number }
  | { readonly type: "heard"; readonly generation: number }
  /** The process is gone and reaped. `fatal`: another start would end in the same way. */
  | { readonly type: "exit"; readonly generation: number; readonly fatal: boolean }
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

const JITTER = 0.2;

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
    lastBatch: 0,
    waiting: [],
    flight: [],
    suspects: [],
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

/** Calls that somebody waits for. */
export function openCalls({ waiting, flight, suspects }: State): number {
  return waiting.length + suspects.length + flight.filter((call) => !call.settled).length;
}

/** When an incomplete batch has waited long enough for company; undefined where none waits. */
export function wakeAt(state: State, policy: SupervisionPolicy): number | undefined {
  const { process, ending, suspects, waiting, flight } = state;
  const sending = process === "up" && ending === undefined && suspects.length === 0;
  return sending ? dueAt(waiting, flight, limitsOf(state, policy)) : undefined;
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
      return ready(state, event.maxBatch ?? 1, at);
    case "heard":
      return [{ ...state, heardAt: at.now }, []];
    case "exit":
      return exited(state, event.fatal, at);
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

function ready(state: State, workerBatch: number, at: At): Step {
  const { now } = at;
  return advance({ ...state, process: "up", workerBatch, heardAt: now, readyAt: now, activeAt: now }, [], at);
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
    circuit: "closed",
    strikes: steady ? 0 : state.strikes,
    openMs: healed ? at.policy.openMs : state.openMs,
    heardAt: at.now,
    activeAt: at.now,
    busySince: flight.length > 0 ? at.now : undefined,
  };
  return advance(next, [], at);
}

function exited(state: State, fatal: boolean, at: At): Step {
  if (state.process === "none") return [state, []];
  const { now, policy } = at;
  const lost = state.flight.filter((call) => !call.settled);
  const retried = lost.filter((call) => policy.redelivery === "once" && call.executions < 2);
  const failure: Failure = policy.redelivery === "once" ? "poison" : "died";
  const effects: Effect[] = lost
    .filter((call) => !retried.includes(call))
    .map(({ id }) => ({ type: "fail", id, failure }));
  const planned = state.ending === "recycle" || state.ending === "idle" || state.ending === "close";
  const next: State = {
    ...state,
    process: "none",
    ending: undefined,
    asked: false,
    flight: [],
    busySince: undefined,
    suspects: [...state.suspects, ...retried],
  };
  if (planned) return advance({ ...next, wanted: state.ending === "recycle", retryAt: now }, effects, at);
  if (fatal) return failAll({ ...next, failed: true }, "failed", effects);
  const exits = [...state.exits, now].filter((time) => now - time < policy.exitWindowMs);
  if (state.circuit === "half-open" || exits.length > policy.maxExits) {
    const openMs = Math.min(state.openMs * 2, policy.maxOpenMs);
    const opened: State = { ...next, exits, circuit: "open", retryAt: now + state.openMs, openMs };
    return failAll(opened, "circuit-open", effects);
  }
  const delay = policy.restartDelaysMs[Math.min(state.strikes, policy.restartDelaysMs.length - 1)] ?? 0;
  const retryAt = now + delay * (1 + JITTER * at.jitter);
  return advance({ ...next, exits, strikes: state.strikes + 1, retryAt }, effects, at);
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

/** Does what the state allows by now: start a process, send calls, ask the worker to stop. */
function advance(state: State, effects: readonly Effect[], at: At): Step {
  if (state.process === "none") return start(state, effects, at);
  if (isKilled(state)) return [state, effects];
  const [sent, sends] = state.process === "up" ? dispatch(state, at) : [state, []];
  const done = sent.closing && openCalls(sent) === 0 ? endingAs(sent, "close") : sent;
  const mayStop = done.ending !== undefined && !done.asked && (done.flight.length === 0 || done.closing);
  if (!mayStop) return [done, [...effects, ...sends]];
  return [{ ...done, asked: true }, [...effects, ...sends, { type: "stop" }]];
}

/** A process is started for calls, again after a crash so that the next call need not wait, and to try an open circuit. */
function start(state: State, effects: readonly Effect[], { now }: At): Step {
  const wanted = openCalls(state) > 0 || (state.wanted && !state.closing);
  if (state.failed || now < state.retryAt || !wanted) return [state, effects];
  const generation = state.generation + 1;
  const circuit = state.circuit === "open" ? "half-open" : state.circuit;
  const started: State = {
    ...state,
    generation,
    circuit,
    wanted: true,
    process: "starting",
    heardAt: now,
    pingedAt: now,
  };
  return [started, [...effects, { type: "spawn", generation }]];
}

/** Sends what may be sent: a suspect alone, others in batches up to the limit, nothing to a worker that is to end. */
function dispatch(state: State, at: At): Step {
  if (state.ending !== undefined) return [state, []];
  const { flight, suspects } = state;
  if (suspects.length > 0)
    return flight.length === 0 ? sendBatch(state, "suspects", suspects.slice(0, 1), at) : [state, []];
  if (flight.some((call) => call.executions > 1)) return [state, []];
  const limits = limitsOf(state, at.policy);
  let step: Step = [state, []];
  for (;;) {
    const [before, effects] = step;
    const next = nextCalls(before.waiting, before.flight, limits, at.now);
    if (next.length === 0) return step;
    const [after, sends] = sendBatch(before, "waiting", next, at);
    step = [after, [...effects, ...sends]];
  }
}

function limitsOf(
  { workerBatch }: State,
  { batchSize, batchDelayMs, maxInFlight }: SupervisionPolicy,
): BatchLimits {
  const maxSize = Math.max(1, Math.min(workerBatch, batchSize || workerBatch));
  return { maxSize, maxDelayMs: batchDelayMs, maxInFlight };
}

function sendBatch(state: State, from: "suspects" | "waiting", calls: readonly Call[], at: At): Step {
  const batch = state.lastBatch + 1;
  const sent = calls.map((call) => ({ ...call, batch, executions: call.executions + 1 }));
  const next: State = {
    ...state,
    lastBatch: batch,
    flight: [...state.flight, ...sent],
    [from]: state[from].filter((call) => !calls.includes(call)),
    busySince: state.busySince ?? at.now,
  };
  return [
    next,
    sent.map(({ id }, index): Effect => ({ type: "send", id, following: calls.length - 1 - index })),
  ];
}

function endingAs(state: State, ending: "recycle" | "idle" | "close"): State {
  return state.ending === undefined ? { ...state, ending } : state;
}

function isKilled({ ending }: State): boolean {
  return ending === "silent" || ending === "overdue";
}

function failAll(state: State, failure: Failure, effects: readonly Effect[]): Step {
  const failed = [...state.suspects, ...state.waiting].map(({ id }): Effect => ({
    type: "fail",
    id,
    failure,
  }));
  return [{ ...state, suspects: [], waiting: [] }, [...effects, ...failed]];
}
