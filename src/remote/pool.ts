/** Remote servers behind the interface of a worker pool: turns, failover, retries; each call settles exactly once. */
import { setTimeout as delay } from "node:timers/promises";
import { after } from "../base/time/timer.ts";
import { written } from "../base/async/written.ts";
import type { Backend, ClassifierNetwork, Health, Phase, RunOptions, WorkerStats } from "../backend.ts";
import { IsotorchError, abortError, closedError } from "../base/errors.ts";
import { requestIdOf, traceOf, traceparent } from "../base/trace.ts";
import type { InputOf, PartOf, TaskName } from "../tasks/registry.ts";
import { RetryBudget } from "./budget.ts";
import type { Endpoint } from "./endpoint.ts";
import { failureOfReply, failureOfThrown } from "./failure.ts";
import type { Failure } from "./failure.ts";
import type { ModelMetadata } from "./model/metadata.ts";
import { decodeInfer } from "./oip.ts";
import type { OutputTensor } from "./oip.ts";
import type { RemoteSettings } from "./options.ts";
import { Dispatcher } from "./dispatcher.ts";
import { noPillow } from "./tasks/classify.ts";
import { REMOTE_TASKS } from "./tasks/registry.ts";
import type { Asked } from "./tasks/task.ts";

export interface RemotePoolOptions {
  readonly settings: RemoteSettings;
  readonly endpoints: readonly Endpoint[];
  /** Who said what the servers' environment makes of pictures. */
  readonly attestedBy: ClassifierNetwork["attestedBy"];
  readonly queue: { readonly maxRequests: number; readonly maxBytes: number };
  readonly onPhase: (phase: Phase) => void;
}

/** One call on its way through its tries. */
interface Trip<Part = unknown> {
  readonly ask: (metadata: ModelMetadata, url: string) => Asked | IsotorchError;
  readonly read: (
    tensors: ReadonlyMap<string, OutputTensor>,
    metadata: ModelMetadata,
    timings: Readonly<Record<string, number>>,
  ) => Part;
  readonly deadlineMs: number | null;
  readonly requestId: string;
  /** The call's own place in its trace; every try is a child of it. */
  readonly trace: string;
  readonly since: number;
  readonly signal: AbortSignal;
}

/** How one try came out. */
type Outcome<Part> = { readonly part: Part; readonly failure?: undefined } | { readonly failure: Failure };

const TICK_MS = 100;
const FIRST_WAIT_MS = 50;
const LONGEST_WAIT_MS = 2_000;

export class RemotePool implements Backend {
  readonly #options: RemotePoolOptions;
  readonly #dispatcher: Dispatcher;
  readonly #budget: RetryBudget;
  readonly #timer: NodeJS.Timeout;
  /** Calls that are open, with what ends each. */
  readonly #open = new Map<Promise<unknown>, AbortController>();
  #bytes = 0;
  #phase: Phase = "ready";
  #closing: Promise<void> | undefined;
  #counts = { submitted: 0, succeeded: 0, failed: 0, redelivered: 0, dropped: 0, batches: 0 };

  /** @param options with servers that were looked at already. */
  constructor(options: RemotePoolOptions) {
    this.#options = options;
    this.#dispatcher = new Dispatcher(options.endpoints, options.settings.patienceMs);
    this.#budget = new RetryBudget(options.settings.connections * options.endpoints.length);
    this.#timer = setInterval(() => this.#tick(), TICK_MS).unref();
  }

  /** Every connection busy, and two pictures that are decoded meanwhile; no more than half a queue. */
  get prefetch(): number {
    const { settings, endpoints, queue } = this.#options;
    return Math.max(
      1,
      Math.min(settings.connections * endpoints.length + 2, Math.ceil(queue.maxRequests / 2)),
    );
  }

  readonly tasks = Object.keys(REMOTE_TASKS) as TaskName[];

  run<N extends TaskName>(
    task: N,
    input: InputOf<N>,
    options: RunOptions = {},
  ): AsyncGenerator<PartOf<N>, void, undefined> {
    return written(
      async (write, signal) => write(await this.#request(task, input, { ...options, signal })),
      options.signal,
    );
  }

  async #request<N extends TaskName>(
    task: N,
    input: InputOf<N>,
    { signal, deadlineMs = null, requestId, traceparent: parent }: RunOptions,
  ): Promise<PartOf<N>> {
    const remote = REMOTE_TASKS[task];
    if (remote === undefined) throw noPillow(this.#options.attestedBy === "server");
    this.#counts.submitted += 1;
    try {
      const part = await this.#admitted(remote.bytesOf(input), signal, (within) =>
        this.#answered<PartOf<N>>({
          ask: (metadata, url) => remote.askedOf(input, metadata, url),
          read: (tensors, metadata, timings) => remote.partOf(tensors, metadata, input, timings),
          deadlineMs,
          requestId: requestIdOf(requestId),
          trace: traceparent(traceOf(parent)),
          since: performance.now(),
          signal: within,
        }),
      );
      this.#counts.succeeded += 1;
      return part;
    } catch (error) {
      this.#counts.failed += 1;
      throw error;
    }
  }

  health(): Health {
    const workers = this.#options.endpoints.map((endpoint) => endpoint.health());
    return {
      phase: this.#phase,
      ready: this.#closing === undefined && workers.some(({ ready }) => ready),
      starts: workers.reduce((sum, { starts }) => sum + starts, 0),
      recentExits: workers.reduce((sum, { recentExits }) => sum + recentExits, 0),
      silentMs: Math.min(...workers.map(({ silentMs }) => silentMs)),
      pid: undefined,
      waiting: this.#dispatcher.waiting,
      inFlight: workers.reduce((sum, { inFlight }) => sum + inFlight, 0),
      lastFailure: workers.find(({ lastFailure }) => lastFailure !== undefined)?.lastFailure,
      workers,
    };
  }

  stats(): WorkerStats {
    const starts = this.#options.endpoints.reduce((sum, endpoint) => sum + endpoint.starts, 0);
    return { ...this.#counts, starts };
  }

  close(drainMs = 30_000): Promise<void> {
    this.#closing ??= this.#close(drainMs);
    return this.#closing;
  }

  /** A server came up or went down. */
  changed(): void {
    this.#dispatcher.dispatch();
    this.#report();
  }

  async #close(drainMs: number): Promise<void> {
    this.#report();
    const timer = after(drainMs, () => {
      for (const ended of this.#open.values()) ended.abort(closedError());
    });
    await Promise.allSettled(this.#open.keys());
    timer.cancel();
    clearInterval(this.#timer);
    for (const endpoint of this.#options.endpoints) endpoint.close();
    this.#enter("stopped");
  }

  /** Runs one call within the limits of the queue. Its signal also fires when the pool is closed over it. */
  async #admitted<T>(
    bytes: number,
    caller: AbortSignal | undefined,
    work: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    if (this.#closing !== undefined) throw closedError();
    if (caller?.aborted === true) throw abortError(caller);
    const { maxRequests, maxBytes } = this.#options.queue;
    const isFull = this.#open.size >= maxRequests || (this.#open.size > 0 && this.#bytes + bytes > maxBytes);
    if (isFull) throw new IsotorchError("QUEUE_FULL", "The queue is full.", { retryAfterMs: 100 });
    const ended = new AbortController();
    const abort = (): void => ended.abort(caller?.reason);
    caller?.addEventListener("abort", abort, { once: true });
    const running = work(ended.signal);
    this.#open.set(running, ended);
    this.#bytes += bytes;
    this.#timer.ref();
    this.#report();
    try {
      return await running;
    } finally {
      caller?.removeEventListener("abort", abort);
      this.#open.delete(running);
      this.#bytes -= bytes;
      if (this.#open.size === 0) this.#timer.unref();
      this.#report();
    }
  }

  /** Tries until there is an answer, or another try is not allowed or would come too late. */
  async #answered<Part>(trip: Trip<Part>): Promise<Part> {
    this.#budget.earn();
    let last: Endpoint | undefined;
    for (let tries = 1; ; tries += 1) {
      const endpoint = await this.#dispatcher.take(trip.signal, last);
      last = endpoint;
      const outcome = await this.#try(endpoint, trip);
      if (outcome.failure === undefined) return outcome.part;
      const { failure } = outcome;
      const isLast = tries > this.#options.settings.retries;
      if (!failure.isRetryable || isLast || !this.#mayWait(trip, failure)) throw failure.error;
      // The budget keeps retries from a server that is overloaded. Where nobody listened, or an idle connection was closed
      // already, nothing was computed: several calls may find that out at once, and none of them is lost by it.
      const reached = failure.verdict !== "gone" && failure.verdict !== "stale";
      if (reached && !this.#budget.spend()) throw failure.error;
      this.#counts.redelivered += 1;
      // At once to another server, or again where an idle connection was found closed; otherwise after a while.
      const isFirst = tries === 1 && (failure.verdict === "stale" || this.#options.endpoints.length > 1);
      if (!isFirst) await pause(tries, trip.signal);
    }
  }

  /** What the server learnt of itself is known before its room goes to another call. */
  async #try<Part>(endpoint: Endpoint, trip: Trip<Part>): Promise<Outcome<Part>> {
    try {
      const outcome = await this.#sent(endpoint, trip);
      if (outcome.failure === undefined) endpoint.succeeded();
      else endpoint.learn(outcome.failure);
      return outcome;
    } finally {
      this.#dispatcher.release(endpoint);
    }
  }

  async #sent<Part>(endpoint: Endpoint, trip: Trip<Part>): Promise<Outcome<Part>> {
    const { deadlineMs, requestId, trace, since, signal } = trip;
    const { url, model } = endpoint;
    const sent = performance.now();
    if (model === undefined) throw new Error("a server was asked before it was looked at");
    const asked = trip.ask(model.metadata, url);
    if (asked instanceof IsotorchError) return { failure: refusal(asked) };
    this.#counts.batches += 1;
    try {
      const timeoutMs = deadlineMs === null ? undefined : deadlineMs - (sent - since);
      const headers = { "x-request-id": requestId, traceparent: traceparent(traceOf(trace)) };
      const reply = await endpoint.infer({ ...asked, id: requestId, timeoutMs }, headers, signal);
      if (reply.status !== 200) return { failure: failureOfReply(reply, url, requestId) };
      const timings = { queue: sent - since, exchange: performance.now() - sent };
      return { part: trip.read(decodeInfer(reply, requestId), model.metadata, timings) };
    } catch (thrown) {
      if (signal.aborted) throw abortError(signal);
      const failure = failureOfThrown(thrown, url, requestId);
      if (failure.error.code === "PROTOCOL_ERROR") this.#counts.dropped += 1;
      return { failure };
    }
  }

  /** Whether the server's pause ends before the caller's patience, or another server is there. */
  #mayWait({ deadlineMs, since }: Trip, { pauseMs }: Failure): boolean {
    if (deadlineMs === null || pauseMs === 0) return true;
    const left = deadlineMs - (performance.now() - since);
    const now = performance.now();
    return (
      pauseMs < left ||
      this.#options.endpoints.some((endpoint) => endpoint.isUp && now >= endpoint.pausedUntil)
    );
  }

  #tick(): void {
    const now = performance.now();
    for (const endpoint of this.#options.endpoints) endpoint.tick(now);
    this.#dispatcher.dispatch();
    this.#report();
  }

  #report(): void {
    if (this.#closing !== undefined) this.#enter("draining");
    else if (this.#dispatcher.isUp) this.#enter(this.#open.size > 0 ? "busy" : "ready");
    else this.#enter(this.#dispatcher.isHopeless ? "open" : "backing-off");
  }

  #enter(phase: Phase): void {
    if (phase === this.#phase || this.#phase === "stopped") return;
    this.#phase = phase;
    this.#options.onPhase(phase);
  }
}

/** Full jitter, so that many clients do not come back together. */
async function pause(tries: number, signal: AbortSignal): Promise<void> {
  const most = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** tries);
  await delay(Math.random() * most, undefined, { signal }).catch(() => undefined);
  if (signal.aborted) throw abortError(signal);
}

/** The call is not for this server, which is well. */
function refusal(error: IsotorchError): Failure {
  return { error, isRetryable: false, verdict: "sound", pauseMs: 0 };
}
