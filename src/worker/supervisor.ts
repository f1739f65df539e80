/** Turns the effects of `supervise.ts` into deeds: owns the processes, the timer and every caller's promise. */
import type { Phase, WorkerHealth, WorkerStats } from "../backend.ts";
import { onAborted } from "../base/async/aborts.ts";
import { after, type Timer } from "../base/time/timer.ts";
import { IsotorchError, abortError, closedError } from "../base/errors.ts";
import { isFromOutside } from "../base/crash.ts";
import { asError, failureOf, isFatal } from "./failure.ts";
import { Delivery } from "./delivery.ts";
import type { WorkerExit } from "./process.ts";
import { outgoing } from "./outgoing.ts";
import type { WorkerReady } from "./ready.ts";
import type { Session } from "./session.ts";
import type { SupervisionPolicy } from "./supervision/policy.ts";
import type { Content, Reply, TaskName } from "../tasks/task.ts";
import { isStalled } from "./supervision/stall.ts";
import { phaseOf, supervise } from "./supervision/supervise.ts";
import { initialState } from "./supervision/state.ts";
import { openCalls, wakeAt } from "./supervision/advance.ts";
import type { Effect, Event, Failure, State } from "./supervision/state.ts";

/** A call as whoever asks for it sees it. */
export interface Call<N extends TaskName = TaskName> extends Content<N> {
  readonly task: N;
  readonly isReplayable: boolean;
}

export interface CallOptions {
  /** Milliseconds that it has, null = all the time. @default null */
  readonly deadlineMs?: number | null | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Hears when the call goes to a worker for the first time. */
  readonly onSent?: () => void;
}

interface Waiter {
  readonly call: Call;
  readonly delivery: Delivery;
  readonly deadline: number | undefined;
  readonly onSent: (() => void) | undefined;
  readonly resolve: () => void;
  readonly reject: (error: IsotorchError) => void;
}

/** What a supervisor needs of a worker that is ready. */
export type SupervisedSession = Pick<
  Session,
  | "ready"
  | "pid"
  | "end"
  | "exited"
  | "heardAt"
  | "residentBytes"
  | "dropped"
  | "request"
  | "cancel"
  | "ping"
  | "close"
  | "destroy"
>;

/** What the start of a worker reports, and what ends it. */
export interface StartHooks {
  readonly generation: number;
  readonly signal: AbortSignal;
  readonly onProgress: () => void;
  readonly onExit: (exit: WorkerExit, asked: boolean) => void;
}

export interface SupervisorOptions {
  readonly policy: SupervisionPolicy;
  /** Starts a worker, each time anew. @throws IsotorchError why there is none; nothing is left behind then. */
  readonly start: (hooks: StartHooks) => Promise<SupervisedSession>;
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
  #session: SupervisedSession | undefined;
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
    const forget = options.signal && onAborted(options.signal, abort);
    supervisor.#feed({ type: "start" });
    if (options.signal?.aborted === true) abort();
    try {
      await started;
      return supervisor;
    } catch (error) {
      await supervisor.close(0);
      throw error;
    } finally {
      forget?.();
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
   * @param write hears each part of the answer once, in their order, and its end.
   * @throws IsotorchError what the worker answered, or `QUEUE_FULL`, `CIRCUIT_OPEN`, `POISON_INPUT`, `WORKER_DIED`,
   * `CLOSED`, or the reason of the signal.
   */
  run(
    call: Call,
    write: (reply: Reply) => void,
    { signal, deadlineMs = null, onSent }: CallOptions = {},
  ): Promise<void> {
    if (signal?.aborted === true) return Promise.reject(abortError(signal));
    this.#lastId += 1;
    const id = this.#lastId;
    this.#counts.submitted += 1;
    const deadline = deadlineMs === null ? undefined : performance.now() + deadlineMs;
    const answered = new Promise<void>((resolve, reject) => {
      const delivery = new Delivery(write);
      this.#waiters.set(id, { call, delivery, deadline, onSent, resolve, reject });
    });
    const onAbort = (): void => {
      if (signal !== undefined) this.#reject(id, abortError(signal));
      this.#session?.cancel(id);
      this.#feed({ type: "cancel", id });
    };
    signal?.addEventListener("abort", onAbort, { once: true });
    const bytes = call.frames.reduce((sum, frame) => sum + frame.data.byteLength, 0);
    const { apart: single, isReplayable: replayable } = call;
    this.#feed({ type: "submit", id, bytes, single, replayable });
    return answered.finally(() => signal?.removeEventListener("abort", onAbort));
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
    let outside = false;
    try {
      const session = await this.#options.start({
        generation,
        signal: starting.signal,
        onProgress: () => {
          if (this.#state.process === "starting") this.#feed({ type: "loading", generation });
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

  #ended(session: SupervisedSession): void {
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
    waiter.onSent?.();
    waiter.delivery.restart();
    if (following === 0) this.#counts.batches += 1;
    const sentAt = performance.now();
    const write = (reply: Reply): void => {
      // Whoever left meanwhile hears nothing more.
      if (!this.#waiters.has(id)) return;
      if (reply.type === "part") this.#feed({ type: "part", generation });
      waiter.delivery.take(reply);
    };
    try {
      const { call, deadline } = waiter;
      const deadlineMs = deadline === undefined ? null : Math.max(0, deadline - performance.now());
      await session.request(outgoing(call.task, call, deadlineMs, following), id, write);
      this.#lastMs = performance.now() - sentAt;
      this.#settle(id)?.resolve();
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
