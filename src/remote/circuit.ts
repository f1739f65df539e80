/** Whether a server is asked at all: a pure function of what happened, on a clock that the events carry. */

export interface Circuit {
  readonly isUp: boolean;
  /** Failures without a success between them. */
  readonly failures: number;
  /** It is looked at again then, milliseconds on a clock that never goes back. */
  readonly retryAt: number;
  /** How long it is left alone the next time. */
  readonly pauseMs: number;
  readonly downSince: number;
}

export type CircuitEvent = "answered" | "failed" | "gone";

const MOST_FAILURES = 3;
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 30_000;

/** One that nobody has heard of yet. */
export function newCircuit(now: number): Circuit {
  return { isUp: false, failures: 0, retryAt: now, pauseMs: FIRST_PAUSE_MS, downSince: now };
}

/** `failed` closes it for a while at the third time in a row, `gone` and any failure of one that is down at once. */
export function nextCircuit(circuit: Circuit, event: CircuitEvent, now: number): Circuit {
  if (event === "answered") return { ...newCircuit(now), isUp: true };
  const failures = circuit.failures + 1;
  if (circuit.isUp && event === "failed" && failures < MOST_FAILURES) return { ...circuit, failures };
  return {
    isUp: false,
    failures,
    retryAt: now + circuit.pauseMs,
    pauseMs: Math.min(circuit.pauseMs * 2, LONGEST_PAUSE_MS),
    downSince: circuit.isUp ? now : circuit.downSince,
  };
}
