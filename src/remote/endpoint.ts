/** One server: its connections, its circuit, and what is known of it. */
import type { IsotorchError } from "../base/errors.ts";
import type { TransformsName } from "../checkpoints/resolve.ts";
import type { WireSpec } from "../protocol/messages.ts";
import type { WorkerHealth } from "../backend.ts";
import { newCircuit, nextCircuit } from "./circuit.ts";
import type { Circuit, CircuitEvent } from "./circuit.ts";
import { failureOfReply, failureOfThrown } from "./failure.ts";
import type { Failure } from "./failure.ts";
import { modelPath, servedModelOf } from "./model/served.ts";
import type { ServedModel } from "./model/served.ts";
import { ConnectionFailure } from "./connection-failure.ts";
import { Connections } from "./http.ts";
import type { Reply } from "./http.ts";
import { encodeInfer } from "./oip.ts";
import type { InferRequest } from "./oip.ts";
import type { RemoteSettings } from "./options.ts";

/** Looking at a server takes longer only where it does not answer. */
const LOOK_MS = 15_000;
const PROBE_MS = 2_000;
const AGAIN_MS = 1_000;

export interface EndpointOptions {
  readonly url: string;
  readonly settings: RemoteSettings;
  readonly transforms: TransformsName | WireSpec | undefined;
  /** Whether the caller names the classes. */
  readonly isLabelled: boolean;
  /** @throws IsotorchError when another server holds something else. */
  readonly compare: (model: ServedModel, url: string) => void;
  /** It came up or went down. */
  readonly onChange: (endpoint: Endpoint) => void;
}

export class Endpoint {
  readonly url: string;
  readonly #options: EndpointOptions;
  readonly #connections: Connections;
  readonly #tries = new Set<AbortController>();
  #circuit: Circuit = newCircuit(performance.now());
  #looking: Promise<void> | undefined;
  #lookedAt = 0;
  #answeredAt = Number.NEGATIVE_INFINITY;
  #model: ServedModel | undefined;
  lastFailure: IsotorchError | undefined;
  /** It asked to be left alone until then. */
  pausedUntil = 0;
  /** Calls that go there. */
  inFlight = 0;
  /** How often it came up. */
  starts = 0;

  constructor(options: EndpointOptions) {
    this.url = options.url;
    this.#options = options;
    const { connections, token } = options.settings;
    this.#connections = new Connections(options.url, connections + 1, token); // one for looking at it
  }

  get isUp(): boolean {
    return this.#circuit.isUp;
  }

  get circuit(): Circuit {
    return this.#circuit;
  }

  /** What it held when it came up. */
  get model(): ServedModel | undefined {
    return this.#model;
  }

  /** Whether another call may go there now. */
  isFree(now: number): boolean {
    return this.isUp && this.inFlight < this.#options.settings.connections && now >= this.pausedUntil;
  }

  health(): WorkerHealth {
    const silentMs = performance.now() - this.#answeredAt;
    return {
      url: this.url,
      phase: this.isUp ? (this.inFlight > 0 ? "busy" : "ready") : "backing-off",
      ready: this.isUp && silentMs < 3 * this.#options.settings.probeMs + PROBE_MS,
      starts: this.starts,
      recentExits: this.#circuit.failures,
      silentMs,
      pid: undefined,
      waiting: 0,
      inFlight: this.inFlight,
      lastFailure: this.lastFailure,
    };
  }

  /** One try of one call. @throws ConnectionFailure when there is no whole answer; the signal's reason when it fires. */
  async infer(
    request: InferRequest,
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<Reply> {
    const encoded = encodeInfer(request);
    const attempt = new AbortController();
    const abort = (): void => attempt.abort(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    if (signal.aborted) abort();
    this.#tries.add(attempt);
    try {
      const reply = await this.#connections.send({
        method: "POST",
        path: `${modelPath(this.#options.settings)}/infer`,
        headers: { ...headers, ...encoded.headers },
        body: encoded.body,
        signal: attempt.signal,
      });
      this.#answeredAt = performance.now();
      return reply;
    } finally {
      signal.removeEventListener("abort", abort);
      this.#tries.delete(attempt);
    }
  }

  /** What a failed try says of this server. */
  learn({ verdict, error, pauseMs }: Failure): void {
    if (verdict === "busy") this.pausedUntil = Math.max(this.pausedUntil, performance.now() + pauseMs);
    if (verdict === "failed" || verdict === "gone") this.#feed(verdict, error);
  }

  /** A call was answered. */
  succeeded(): void {
    this.#feed("answered");
  }

  /** Looks at it whole. @throws IsotorchError why it is not taken. */
  async look(signal: AbortSignal): Promise<void> {
    const { settings, transforms, isLabelled, compare } = this.#options;
    const look = { url: this.url, connections: this.#connections, settings, transforms, isLabelled, signal };
    try {
      const model = await servedModelOf(look);
      compare(model, this.url);
      this.#model = model;
      this.#answeredAt = performance.now();
      this.#feed("answered");
    } catch (thrown) {
      const { error } = failureOfThrown(thrown, this.url, "");
      this.#feed("gone", error);
      throw error;
    }
  }

  /** Looks at it where the time has come; a server that is up is only asked whether it is ready. */
  tick(now: number): void {
    const { probeMs } = this.#options.settings;
    const isDue = this.isUp ? now - this.#lookedAt >= probeMs : now >= this.#circuit.retryAt;
    if (!isDue || this.#looking !== undefined) return;
    this.#lookedAt = now;
    const looked = this.isUp ? this.#probe() : this.look(timeout(LOOK_MS)).catch(() => undefined);
    this.#looking = looked.finally(() => (this.#looking = undefined));
  }

  close(): void {
    this.#connections.close();
  }

  async #probe(): Promise<void> {
    const signal = timeout(PROBE_MS);
    try {
      const path = `${modelPath(this.#options.settings)}/ready`;
      const reply = await this.#connections.send({ method: "GET", path, signal });
      if (reply.status !== 200) return this.#feed("gone", failureOfReply(reply, this.url, "").error);
      this.#answeredAt = performance.now();
    } catch (thrown) {
      const { error, verdict } = failureOfThrown(thrown, this.url, "");
      if (verdict === "stale") return;
      this.#lookedAt = performance.now() + AGAIN_MS - this.#options.settings.probeMs;
      this.#feed(verdict === "gone" ? "gone" : "failed", error);
      if (!this.isUp) this.#abandon(thrown);
    }
  }

  /** It answers nothing any more: what was sent there goes elsewhere. */
  #abandon(thrown: unknown): void {
    // Whether anybody listens is known of all of them then: where nobody does, the next try costs nothing.
    const failure = thrown instanceof ConnectionFailure ? thrown : new ConnectionFailure(thrown, false);
    for (const attempt of this.#tries) attempt.abort(failure);
  }

  #feed(event: CircuitEvent, error?: IsotorchError): void {
    const { isUp } = this.#circuit;
    this.#circuit = nextCircuit(this.#circuit, event, performance.now());
    if (error !== undefined) this.lastFailure = error;
    if (!isUp && this.isUp) this.starts += 1;
    if (isUp !== this.isUp) this.#options.onChange(this);
  }
}

/** A signal of a look at a server; the time limit must not keep the process. */
function timeout(ms: number): AbortSignal {
  const controller = new AbortController();
  const failure = new ConnectionFailure(new Error(`nothing came within ${ms} ms`), false);
  setTimeout(() => controller.abort(failure), ms).unref();
  return controller.signal;
}
