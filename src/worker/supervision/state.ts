/** What the supervision knows, what happens to it, and what it asks for: the terms of `supervise.ts` and its parts. */
import type { SupervisionPolicy } from "./policy.ts";
import { NO_SUSPICION } from "./suspicion.ts";
import type { Suspicion } from "./suspicion.ts";

/** One call as the supervision sees it. */
export interface Call {
  readonly id: number;
  readonly bytes: number;
  /** It goes apart from the batches. */
  readonly single: boolean;
  /** Whether another worker may answer it after one died with it. */
  readonly replayable: boolean;
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
  /** Since when the worker computes without an answer, or a part of one; undefined while nothing is in flight. */
  readonly busySince: number | undefined;
  readonly pingedAt: number;
  readonly tickedAt: number;
}

/** Why a call ended without an answer of its own. */
export type Failure = "closed" | "queue-full" | "circuit-open" | "poison" | "killed" | "died" | "failed";

/** How a process ended. */
export interface Exit {
  /** Another start would end in the same way. */
  readonly fatal: boolean;
  /** By a signal that nobody here sent, without a report of a crash. */
  readonly outside?: boolean;
}

export type Event =
  | {
      readonly type: "submit";
      readonly id: number;
      readonly bytes: number;
      readonly single?: boolean;
      readonly replayable?: boolean;
    }
  | { readonly type: "cancel"; readonly id: number }
  /** Start without waiting for a call. */
  | { readonly type: "start" }
  | { readonly type: "answered"; readonly id: number; readonly generation: number }
  /** A part of an answer came: the worker computes. */
  | { readonly type: "part"; readonly generation: number }
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
