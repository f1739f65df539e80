/**
 * The supervision as one pure function, `(state, event) → (state, effects)`, on a clock that the events carry:
 * no process, no timer, no randomness. `supervisor.ts` turns its effects into deeds.
 */
import type { Phase } from "../../backend.ts";
import { advance, endingAs, isKilled, openCalls } from "./advance.ts";
import { exited } from "./exit.ts";
import type { At, Event, Failure, State, Step } from "./state.ts";
import { acquitted, withdrawn } from "./suspicion.ts";

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
    case "part":
      return [moved(state, at), []];
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
  { id, bytes, single = false, replayable = true }: Extract<Event, { type: "submit" }>,
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
  const call = { id, bytes, single, replayable, since: at.now, batch: 0, executions: 0, settled: false };
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

/** It computes: a part of an answer came. */
function moved(state: State, { now }: At): State {
  const { busySince = now, slowestMs } = state;
  const isBusy = state.busySince !== undefined;
  return {
    ...state,
    heardAt: now,
    busySince: isBusy ? now : undefined,
    slowestMs: Math.max(slowestMs, now - busySince),
  };
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
