/** What a state of the supervision allows by now: start a process, send calls, ask the worker to stop. Pure. */
import { dueAt, nextCalls } from "./batch.ts";
import type { BatchLimits } from "./batch.ts";
import type { SupervisionPolicy } from "./policy.ts";
import type { At, Call, Effect, Failure, State, Step } from "./state.ts";

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

/** Does what the state allows by now: start a process, send calls, ask the worker to stop. */
export function advance(state: State, effects: readonly Effect[], at: At): Step {
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

export function endingAs(state: State, ending: "recycle" | "idle" | "close"): State {
  return state.ending === undefined ? { ...state, ending } : state;
}

export function isKilled({ ending }: State): boolean {
  return ending === "silent" || ending === "overdue";
}

export function failAll(state: State, failure: Failure, effects: readonly Effect[]): Step {
  const failed = [...state.suspects, ...state.waiting].map(({ id }): Effect => ({
    type: "fail",
    id,
    failure,
  }));
  return [{ ...state, suspects: [], waiting: [] }, [...effects, ...failed]];
}
