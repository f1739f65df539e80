/** Remote servers behind the interface of a worker pool: turns, failover, retries; each call settles exactly once. */
import { shown } from "../base/text/shown.ts";
import { setTimeout as delay } from "node:timers/promises";
import { after } from "../base/time/timer.ts";
import type { AttestationAnswer, Backend } from "../backend.ts";
import { IsotorchError, abortError } from "../base/errors.ts";
import { requestIdOf, traceOf, traceparent } from "../base/trace.ts";
import { closedError } from "../worker/failure.ts";
import type { Health } from "../backend.ts";
import type { Phase } from "../backend.ts";
import type { CallFields, RequestOptions, WorkerStats } from "../backend.ts";
import type { Fields, Frame, MessageOf } from "../protocol/wire.ts";
import { outputsFor, resultOf } from "./answer.ts";
import { RetryBudget } from "./budget.ts";
import type { Endpoint } from "./endpoint.ts";
import { failureOfReply, failureOfThrown } from "./failure.ts";
import type { Failure } from "./failure.ts";
import { decodeInfer } from "./oip.ts";
import type { DataType } from "./oip.ts";
import type { RemoteSettings } from "./options.ts";
import { Dispatcher } from "./dispatcher.ts";

export interface RemotePoolOptions {
  readonly settings: RemoteSettings;
  readonly endpoints: readonly Endpoint[];
  readonly ready: Backend["ready"];
  readonly queue: { readonly maxRequests: number; readonly maxBytes: number };
  readonly onPhase: (phase: Phase) => void;
}

/** One call on its way through its tries. */
interface Trip {
  readonly fields: Fields<"infer"> | Omit<Fields<"infer">, "following">;
  readonly frame: Frame;
  readonly requestId: string;
  /** The call's own place in its trace; every try is a child of it. */
  readonly trace: string;
  readonly since: number;
  readonly signal: AbortSignal;
}

const TICK_MS = 100;
const FIRST_WAIT_MS = 50;
const LONGEST_WAIT_MS = 2_000;
const DATATYPES: Readonly<Record<string, DataType>> = { tensor: "FP32", pixels: "UINT8", encoded: "BYTES" };

export class RemotePool implements Backend {
  readonly ready: Backend["ready"];
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
    this.ready = options.ready;
    this.#dispatcher = new Dispatcher(options.endpoints, options.settings.patienceMs);
    this.#budget = new RetryBudget(options.settings.connections * options.endpoints.length);
    this.#timer = setInterval(() => this.#tick(), TICK_MS).unref();
  }

  /** Every connection busy, and two pictures that are decoded meanwhile; no more than half a queue. */
  get ahead(): number {
    const { settings, endpoints, queue } = this.#options;
    return Math.max(
      1,
      Math.min(settings.connections * endpoints.length + 2, Math.ceil(queue.maxRequests / 2)),
    );
  }

  readonly decodes = false;

  /** Servers that differ are refused at the look. */
  get attestations(): readonly [AttestationAnswer] {
    return [this.ready.attestation];
  }

  async request(
    type: "infer" | "decode",
    fields: CallFields,
    frames: readonly Frame[],
    { signal, requestId, traceparent: parent }: Omit<RequestOptions, "onSent"> = {},
  ): Promise<MessageOf<"result">> {
    const [frame] = frames;
    if (type === "decode" || frame === undefined || !("topK" in fields))
      throw noPillow(this.ready.attestation.source === "server");
    this.#counts.submitted += 1;
    try {
      const result = await this.#admitted(frame.data.byteLength, signal, (within) =>
        this.#answered({
          fields,
          frame,
          requestId: requestIdOf(requestId),
          trace: traceparent(traceOf(parent)),
          since: performance.now(),
          signal: within,
        }),
      );
      this.#counts.succeeded += 1;
      return result;
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
  async #answered(trip: Trip): Promise<MessageOf<"result">> {
    this.#budget.earn();
    let last: Endpoint | undefined;
    for (let tries = 1; ; tries += 1) {
      const endpoint = await this.#dispatcher.take(trip.signal, last);
      last = endpoint;
      const failure = await this.#try(endpoint, trip);
      if ("fields" in failure) return failure;
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
  async #try(endpoint: Endpoint, trip: Trip): Promise<MessageOf<"result"> | Failure> {
    try {
      const outcome = await this.#sent(endpoint, trip);
      if ("fields" in outcome) endpoint.succeeded();
      else endpoint.learn(outcome);
      return outcome;
    } finally {
      this.#dispatcher.release(endpoint);
    }
  }

  async #sent(
    endpoint: Endpoint,
    { fields, frame, requestId, trace, since, signal }: Trip,
  ): Promise<MessageOf<"result"> | Failure> {
    const { handoff, deadlineMs } = fields;
    const { metadata } = endpoint.model ?? {};
    const input = metadata?.inputs[handoff];
    if (metadata === undefined || input === undefined) return refused(handoff, endpoint.url);
    const sent = performance.now();
    this.#counts.batches += 1;
    try {
      const shape = handoff === "encoded" ? [1] : frame.shape;
      const request = {
        id: requestId,
        input: { name: input, datatype: DATATYPES[handoff] ?? "FP32", shape, data: frame.data },
        outputs: outputsFor(metadata, fields),
        timeoutMs: deadlineMs === null ? undefined : deadlineMs - (sent - since),
      };
      const headers = { "x-request-id": requestId, traceparent: traceparent(traceOf(trace)) };
      const reply = await endpoint.infer(request, headers, signal);
      if (reply.status !== 200) return failureOfReply(reply, endpoint.url, requestId);
      const timings = { queue: sent - since, exchange: performance.now() - sent };
      return resultOf(decodeInfer(reply, requestId), metadata, fields, timings);
    } catch (thrown) {
      if (signal.aborted) throw abortError(signal);
      const failure = failureOfThrown(thrown, endpoint.url, requestId);
      if (failure.error.code === "PROTOCOL_ERROR") this.#counts.dropped += 1;
      return failure;
    }
  }

  /** Whether the server's pause ends before the caller's patience, or another server is there. */
  #mayWait({ fields, since }: Trip, { pauseMs }: Failure): boolean {
    const { deadlineMs } = fields;
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

/** A server of others has no Pillow; one of ours takes files, and gives back no tensors or pixels. */
function noPillow(isOurs: boolean): IsotorchError {
  const take = "`include.tensor`, `include.pixels`, `exif`, `icc` and `mode`";
  return isOurs
    ? new IsotorchError(
        "UNSUPPORTED_FORMAT",
        "This image has to be prepared by the server's own Pillow, which gives back no tensor or pixels.",
        { hint: `Call \`classify()\` without ${take}: the server then takes the file as it is.` },
      )
    : new IsotorchError(
        "UNSUPPORTED_FORMAT",
        "This image needs Pillow, which this remote server does not provide.",
        { hint: "Save it as an ordinary JPEG, PNG or WebP, or use a worker of this machine." },
      );
}

function refused(handoff: string, url: string): Failure {
  const error =
    handoff === "encoded"
      ? noPillow(false)
      : new IsotorchError("REMOTE_MISMATCH", `${shown(url)} takes no ${handoff}.`, {
          hint: 'Use `handoff: "tensor"`.',
        });
  return { error, isRetryable: false, verdict: "sound", pauseMs: 0 };
}
