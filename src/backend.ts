/** Who answers calls: workers of this machine (`worker/pool.ts`), or servers elsewhere (`remote/`). */
import type { Attestation } from "./image/attest/attestation.ts";
import type { Digests } from "./image/attest/built-in.ts";
import type { IsotorchError } from "./base/errors.ts";
import type { WireSpec } from "./protocol/messages.ts";
import type { InputOf, PartOf, TaskName } from "./tasks/registry.ts";

/** What `health()` reports; derived from what the worker answered. */
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

/** How one worker is; made of what it answered, not of what is hoped. */
export interface WorkerHealth {
  /** The address of a remote server; a worker of this machine has none. */
  readonly url?: string;
  readonly phase: Phase;
  /**
   * A worker is up, has answered within the last three pings, and does not keep calls waiting for more than ten times
   * its slowest answer (at least 1 s).
   */
  readonly ready: boolean;
  /** How often a worker was started. */
  readonly starts: number;
  /** Unplanned exits within the policy's window. */
  readonly recentExits: number;
  /** Milliseconds since the worker was last heard of. */
  readonly silentMs: number;
  readonly pid: number | undefined;
  /** Calls that wait, and calls at the worker. */
  readonly waiting: number;
  readonly inFlight: number;
  /** Why the last worker ended without being asked to. */
  readonly lastFailure: IsotorchError | undefined;
}

/** Counts since the start. */
export interface WorkerStats {
  readonly submitted: number;
  readonly succeeded: number;
  readonly failed: number;
  readonly starts: number;
  readonly redelivered: number;
  /** Messages that were late, unknown, malformed or a stranger's. */
  readonly dropped: number;
  /** Batches that were sent to a worker; a single call is a batch of one. */
  readonly batches: number;
}

/** How the workers are; made of what they answered, not of what is hoped. */
export interface Health extends WorkerHealth {
  /** Each worker by itself; the fields beside this one are those of all together. */
  readonly workers: readonly WorkerHealth[];
}

/** What a call is given on its way. */
export interface RunOptions {
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds that it has, null = all the time. @default null */
  readonly deadlineMs?: number | null;
  /** By which the call is found in a remote server's log; a worker of this machine has no use for them. */
  readonly requestId?: string | undefined;
  readonly traceparent?: string | undefined;
}

/** An image classifier's network, as whoever answers says. */
export interface ClassifierNetwork {
  /** The preprocessing that belongs to it. */
  readonly spec: WireSpec;
  /** Its labels, by index. */
  readonly categories: readonly string[];
  readonly models: readonly string[];
  /** Who says what an environment makes of the attestation's pictures. */
  readonly attestedBy: Attestation["source"];
  /** What the environment of each that answers makes of them. */
  readonly digests: readonly Digests[];
}

export interface Backend {
  /** Calls of a list that are worth having open at a time. */
  readonly prefetch: number;
  /** What it can be asked for. */
  readonly tasks: readonly TaskName[];
  /**
   * One call. It begins when its first part is asked for; whoever stops reading cancels it.
   *
   * @returns the parts of its answer in their order, each once. Most tasks have one.
   * @throws IsotorchError
   */
  run<N extends TaskName>(
    task: N,
    input: InputOf<N>,
    options?: RunOptions,
  ): AsyncGenerator<PartOf<N>, void, undefined>;
  health(): Health;
  stats(): WorkerStats;
  /** Lets the calls finish for `drainMs`; idempotent. Nothing is left behind. */
  close(drainMs?: number): Promise<void>;
}
