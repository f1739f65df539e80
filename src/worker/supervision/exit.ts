/** What the end of a worker means for the calls that it had, and for the next start: a pure part of `supervise.ts`. */
import { advance, failAll } from "./advance.ts";
import type { At, Call, Effect, Exit, Failure, State, Step } from "./state.ts";
import { isProven, suspected, withdrawn } from "./suspicion.ts";
import type { Suspicion } from "./suspicion.ts";

const JITTER = 0.2;
/** Executions of one call at most: after a crash of the worker's own, and after an end from outside. */
const AFTER_CRASH = 2;
const FROM_OUTSIDE = 3;

export function exited(state: State, { fatal, outside = false }: Exit, at: At): Step {
  if (state.process === "none") return [state, []];
  const { now, policy } = at;
  const { effects, ...kept } = fates(state, outside && !state.asked, at);
  const planned = state.ending === "recycle" || state.ending === "idle" || state.ending === "close";
  const next: State = {
    ...state,
    ...kept,
    process: "none",
    ending: undefined,
    asked: false,
    flight: [],
    busySince: undefined,
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

/** What becomes of the calls that were at the worker. */
interface Fates extends Pick<State, "waiting" | "suspects" | "suspicion"> {
  readonly effects: readonly Effect[];
}

function fates(state: State, outside: boolean, { now, policy }: At): Fates {
  const begun = outside ? begunOf(state) : state.flight;
  const lost = state.flight.filter((call) => !call.settled);
  const never = policy.redelivery === "never";
  const isSpared = (call: Call): boolean => !never && !begun.includes(call);
  const isOnce = ({ replayable }: Call): boolean => never || !replayable;
  const limit = outside ? FROM_OUTSIDE : AFTER_CRASH;
  const hit = lost.filter((call) => !isSpared(call));
  const isAgain = (call: Call): boolean => !isOnce(call) && call.executions < limit;
  const again = hit.filter(isAgain);
  const given = hit.filter((call) => !isAgain(call));
  // What nobody had begun with waits as before, and comes first.
  const spared = lost
    .filter(isSpared)
    .map((call) => ({ ...call, batch: 0, executions: call.executions - 1 }));
  const isInnocent = outside && isProven(state.suspicion, now, policy.exitWindowMs);
  const failureOf = (call: Call): Failure => (isOnce(call) ? "died" : isInnocent ? "killed" : "poison");
  return {
    waiting: [...spared, ...state.waiting],
    // Whoever has the fewest tries left goes first, while the new worker is sure to be there.
    suspects: [...again, ...state.suspects],
    suspicion: given.reduce(
      (sum, { id }) => withdrawn(sum, id),
      suspicionOf(state, begun, outside, now, policy),
    ),
    effects: given.map((call): Effect => ({ type: "fail", id: call.id, failure: failureOf(call) })),
  };
}

function suspicionOf(
  { suspicion }: State,
  begun: readonly Call[],
  outside: boolean,
  now: number,
  { exitWindowMs }: At["policy"],
): Suspicion {
  // Of a call that nobody waits for any more nobody will know what it did.
  if (!outside || begun.some(({ settled }) => settled)) return suspicion;
  return suspected(suspicion, { at: now, calls: begun.map(({ id }) => id) }, exitWindowMs);
}

/**
 * The calls that may have been in the network. A worker that takes one batch after the other had begun with none but the
 * oldest; what it decodes is decoded beside that.
 */
function begunOf({ flight, sequential }: State): readonly Call[] {
  if (!sequential || flight.some(({ single }) => single)) return flight;
  const oldest = Math.min(...flight.map(({ batch }) => batch));
  return flight.filter(({ batch }) => batch === oldest);
}
