/** Turns the effects of `supervise.ts` into deeds: owns the processes, the timer and every caller's promise. */
import type { CallFields, RequestOptions, WorkerHealth, WorkerStats } from "../backend.ts";
import { after, type Timer } from "../base/time/timer.ts";
import { IsotorchError, abortError } from "../base/errors.ts";
import { isFromOutside } from "../base/crash.ts";
import { asError, closedError, failureOf, isFatal } from "./failure.ts";
import type { SupervisionPolicy } from "./supervision/policy.ts";
import { Session } from "./session.ts";
import type { SessionOptions, WorkerReady } from "./session.ts";
import { isStalled } from "./supervision/stall.ts";
import { phaseOf, supervise } from "./supervision/supervise.ts";
import { initialState } from "./supervision/state.ts";
import { openCalls, wakeAt } from "./supervision/advance.ts";
import type { Effect, Event, Failure, State } from "./supervision/state.ts";
import type { Phase } from "../backend.ts";
import type { Fields, Frame, MessageOf } from "../protocol/wire.ts";

interface Waiter {
  readonly type: "classify" | "decode";
  readonly fields: CallFields;
  readonly frames: readonly Frame[];
  readonly deadline: number | undefined;
  readonly onSent: (() => void) | undefined;
  readonly resolve: (reply: MessageOf<"result">) => void;
  readonly reject: (error: IsotorchError) => void;
}

export interface SupervisorOptions {
  readonly policy: SupervisionPolicy;
  /** What to start, for each start anew. */
  readonly session: (generation: number) => SessionOptions;
  readonly onPhase: (phase: Phase) => void;
  readonly signal?: AbortSignal | undefined;
}

const TICK_MS = 100;

export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #waiters = new Map<number, Waiter>();
  readonly #timer: NodeJS.Timeout;
  #batchTimer: Timer | undefined;
  readonly #stopped: Promise<void>;
  #resolveStopped: () => void = () => undefined;
  #state: State;
  #phase: Phase = "idle";
  #session: Session | undefined;
  #starting: AbortController | undefined;
  #ready: WorkerReady | undefined;
  #lastFailure: IsotorchError | undefined;
  #firstStart: { resolve: () => void; reject: (error: unknown) => void } | undefined;
  /** How long the last request was at the worker. */
  #lastMs = 1_000;
  /** The first id belongs to the `load`. */
  #lastId = 1;
  #counts = { submitted: 0, succeeded: 0, failed: 0, redelivered: 0, dropped: 0, batches: 0 };

  private constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#state = initialState(performance.now(), options.policy);
    this.#stopped = new Promise((resolve) => {
      this.#resolveStopped = resolve;
    });
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
  }

  /**
   * Starts the first worker.
   *
   * @throws IsotorchError the reason, after one try: what fails at the first start will fail again.
   */
  static async start(options: SupervisorOptions): Promise<Supervisor> {
    const supervisor = new Supervisor(options);
    const started = new Promise<void>((resolve, reject) => {
      supervisor.#firstStart = { resolve, reject };
    });
    const abort = (): void => supervisor.#starting?.abort();
    options.signal?.addEventListener("abort", abort, { once: true });
    supervisor.#feed({ type: "start" });
    if (options.signal?.aborted === true) abort();
    try {
      await started;
      return supervisor;
    } catch (error) {
      await supervisor.close(0);
      throw error;
    } finally {
      options.signal?.removeEventListener("abort", abort);
      supervisor.#firstStart = undefined;
    }
  }

  /** What the worker that was ready last is and has loaded. */
  get ready(): WorkerReady {
    if (this.#ready === undefined) throw new IsotorchError("WORKER_ERROR", "No worker was ready yet.");
    return this.#ready;
  }

  /** Whether a worker is there to take a call at once. */
  get isUp(): boolean {
    const { process, ending } = this.#state;
    return process === "up" && ending === undefined && !isStalled(this.#state, performance.now());
  }

  /** Calls that somebody waits for. */
  get openCalls(): number {
    return openCalls(this.#state);
  }

  health(): WorkerHealth {
    const { process, generation, exits, heardAt, waiting, suspects, flight } = this.#state;
    const now = performance.now();
    const silentMs = now - (this.#session?.heardAt ?? heardAt);
    const isHeard = process === "up" && silentMs < 3 * this.#options.policy.pingMs + TICK_MS;
    return {
      phase: this.#phase,
      ready: isHeard && !isStalled(this.#state, now),
      starts: generation,
      recentExits: exits.length,
      silentMs,
      pid: this.#session?.pid,
      waiting: waiting.length + suspects.length,
      inFlight: flight.length,
      lastFailure: this.#lastFailure,
    };
  }

  stats(): WorkerStats {
    const dropped = this.#counts.dropped + (this.#session?.dropped ?? 0);
    return { ...this.#counts, dropped, starts: this.#state.generation };
  }

  /**
   * One call: it waits for its turn and for a worker, and survives the worker's death as the policy says.
   *
   * @throws IsotorchError what the worker answered, or `QUEUE_FULL`, `CIRCUIT_OPEN`, `POISON_INPUT`, `WORKER_DIED`,
   * `CLOSED`, or the reason of the signal.
   */
  request(
    type: Waiter["type"],
    fields: Waiter["fields"],
    frames: readonly Frame[],
    { signal, onSent }: RequestOptions = {},
  ): Promise<MessageOf<"result">> {
    if (signal?.aborted === true) return Promise.reject(abortError(signal));
    this.#lastId += 1;
    const id = this.#lastId;
    this.#counts.submitted += 1;
    const deadline = fields.deadlineMs === null ? undefined : performance.now() + fields.deadlineMs;
    const reply = new Promise<MessageOf<"result">>((resolve, reject) => {
      this.#waiters.set(id, { type, fields, frames, deadline, onSent, resolve, reject });
    });
    const onAbort = (): void => {
      if (signal !== undefined) this.#reject(id, abortError(signal));
      this.#session?.cancel(id);
      this.#feed({ type: "cancel", id });
    };
    signal?.addEventListener("abort", onAbort, { once: true });
    const bytes = frames.reduce((sum, frame) => sum + frame.data.byteLength, 0);
    const single = type === "decode" || ("handoff" in fields && fields.handoff === "encoded");
    this.#feed({ type: "submit", id, bytes, single });
    return reply.finally(() => signal?.removeEventListener("abort", onAbort));
  }

  /** Lets the calls finish for `drainMs`, then ends the worker; idempotent. Nothing is left behind. */
  async close(drainMs = 30_000): Promise<void> {
    this.#feed({ type: "close" });
    const timer = after(drainMs, () => this.#abandonCalls());
    await this.#stopped;
    timer.cancel();
  }

  /** What did not finish in time fails, so that nothing keeps the worker any longer. */
  #abandonCalls(): void {
    for (const id of this.#waiters.keys()) {
      this.#reject(id, closedError());
      this.#feed({ type: "cancel", id });
    }
  }

  #feed(event: Event): void {
    const at = { now: performance.now(), jitter: Math.random() * 2 - 1, policy: this.#options.policy };
    const [state, effects] = supervise(this.#state, event, at);
    this.#state = state;
    for (const effect of effects) this.#perform(effect);
    // A performed effect may have fed events of its own; the phase is that of the newest state.
    const phase = phaseOf(this.#state);
    if (phase !== this.#phase) {
      this.#phase = phase;
      this.#options.onPhase(phase);
    }
    if (phase === "stopped") {
      clearInterval(this.#timer);
      this.#resolveStopped();
    } else if (openCalls(this.#state) > 0 || this.#state.process === "starting") this.#timer.ref();
    else this.#timer.unref();
    this.#wake();
  }

  /** An incomplete batch that waits for company has its own timer: ticks are too far apart. */
  #wake(): void {
    this.#batchTimer?.cancel();
    const at = wakeAt(this.#state, this.#options.policy);
    if (at === undefined) return;
    this.#batchTimer = after(at - performance.now(), () => this.#feed({ type: "due" }));
  }

  #perform(effect: Effect): void {
    switch (effect.type) {
      case "spawn":
        return void this.#spawn(effect.generation);
      case "send":
        return void this.#send(effect.id, effect.following);
      case "fail":
        return this.#reject(effect.id, this.#errorFor(effect.failure));
      case "ping":
        return this.#session?.ping();
      case "stop":
        // During a start there is nobody to ask yet.
        if (this.#session === undefined) this.#starting?.abort();
        return void this.#session?.close(0);
      case "kill":
        return this.#session?.destroy(
          effect.reason === "silent" ? "it said nothing for too long" : "a request took too long",
        );
    }
  }

  async #spawn(generation: number): Promise<void> {
    const starting = new AbortController();
    this.#starting = starting;
    const base = this.#options.session(generation);
    let outside = false;
    try {
      const session = await Session.start({
        ...base,
        signal: starting.signal,
        onProgress: (phase, fraction) => {
          if (this.#state.process === "starting") this.#feed({ type: "loading", generation });
          base.onProgress(phase, fraction);
        },
        onExit: (exit, asked) => {
          outside = !asked && isFromOutside(exit);
        },
      });
      this.#session = session;
      // Asked to stop in the very moment in which it became ready.
      if (starting.signal.aborted) void session.close(0);
      this.#ready = session.ready;
      const { maxBatch, warmupMs, device } = session.ready;
      // A GPU is given the next batch while it computes.
      this.#feed({ type: "ready", generation, maxBatch, warmupMs, sequential: device === "cpu" });
      this.#firstStart?.resolve();
      const { code } = await session.exited;
      this.#ended(session);
      this.#feed({ type: "exit", generation, fatal: code !== null && code >= 64 && code <= 78, outside });
    } catch (error) {
      const failure = asError(error);
      this.#lastFailure = starting.signal.aborted ? this.#lastFailure : failure;
      // The first start is tried once: whoever waits for it hears why.
      const fatal = this.#firstStart !== undefined || isFatal(failure);
      this.#feed({ type: "exit", generation, fatal: fatal && !this.#state.closing, outside });
      this.#firstStart?.reject(this.#abortedStart() ?? failure);
    }
  }

  #abortedStart(): IsotorchError | undefined {
    const { signal } = this.#options;
    return signal?.aborted === true ? abortError(signal) : undefined;
  }

  #ended(session: Session): void {
    if (this.#state.ending === undefined || session.end?.code === "WORKER_DIED")
      this.#lastFailure = session.end;
    this.#counts.dropped += session.dropped;
    if (this.#session === session) this.#session = undefined;
  }

  async #send(id: number, following: number): Promise<void> {
    const waiter = this.#waiters.get(id);
    const session = this.#session;
    const generation = this.#state.generation;
    if (session === undefined) return;
    if (this.#state.flight.some((call) => call.id === id && call.executions > 1))
      this.#counts.redelivered += 1;
    if (waiter === undefined) return this.#feed({ type: "answered", id, generation });
    const { type, frames, deadline } = waiter;
    waiter.onSent?.();
    if (following === 0) this.#counts.batches += 1;
    const deadlineMs = deadline === undefined ? null : Math.max(0, deadline - performance.now());
    const sentAt = performance.now();
    try {
      const reply = await session.request(type, fieldsOf(waiter, deadlineMs, following), frames, id);
      this.#lastMs = performance.now() - sentAt;
      this.#settle(id)?.resolve(reply);
      if (this.#state.generation === generation) this.#counts.succeeded += 1;
    } catch (error) {
      // The end of the worker is one event for all its calls; it decides what becomes of each.
      if (session.end !== undefined) return;
      this.#reject(id, asError(error));
    }
    this.#feed({ type: "answered", id, generation });
  }

  #settle(id: number): Waiter | undefined {
    const waiter = this.#waiters.get(id);
    this.#waiters.delete(id);
    return waiter;
  }

  #reject(id: number, error: IsotorchError): void {
    const waiter = this.#settle(id);
    if (waiter === undefined) return;
    this.#counts.failed += 1;
    waiter.reject(error);
  }

  #errorFor(failure: Failure): IsotorchError {
    return failureOf(failure, {
      cause: this.#lastFailure,
      // What the worker needed for the last request.
      roomInMs: Math.ceil(this.#lastMs),
      retryInMs: Math.max(TICK_MS, Math.ceil(this.#state.retryAt - performance.now())),
    });
  }

  #tick(): void {
    const { generation, process } = this.#state;
    const session = this.#session;
    if (session !== undefined && session.heardAt > this.#state.heardAt)
      this.#feed({ type: "heard", generation });
    this.#feed({ type: "tick" });
    const { maxWorkerBytes } = this.#options.policy;
    if (
      maxWorkerBytes > 0 &&
      process === "up" &&
      session !== undefined &&
      session.residentBytes > maxWorkerBytes
    )
      this.#feed({ type: "recycle" });
  }
}

function fieldsOf(
  { fields }: Waiter,
  deadlineMs: number | null,
  following: number,
): Fields<"classify"> | Fields<"decode"> {
  return { ...fields, deadlineMs, following } as Fields<"classify">;
}
