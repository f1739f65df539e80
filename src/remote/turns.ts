/** Whose turn it is: calls wait in their order for a server that has room, and go to the one with the least to do. */
import { IsotorchError, abortError } from "../errors.ts";
import type { Endpoint } from "./endpoint.ts";

interface Waiter {
  /** The server that has just failed this call: another one is better, if there is one. */
  readonly avoid: Endpoint | undefined;
  readonly resolve: (endpoint: Endpoint) => void;
  readonly reject: (error: IsotorchError) => void;
}

/** So long calls wait for a server to come back; then they fail at once, until one is there. */
const PATIENCE_MS = 15_000;

export class Turns {
  readonly #endpoints: readonly Endpoint[];
  #waiters: Waiter[] = [];

  constructor(endpoints: readonly Endpoint[]) {
    this.#endpoints = endpoints;
  }

  get waiting(): number {
    return this.#waiters.length;
  }

  get isUp(): boolean {
    return this.#endpoints.some((endpoint) => endpoint.isUp);
  }

  /** No server has been there for so long that nobody waits any more. */
  get isHopeless(): boolean {
    const downSince = Math.max(...this.#endpoints.map(({ circuit }) => circuit.downSince));
    return !this.isUp && performance.now() - downSince >= PATIENCE_MS;
  }

  /**
   * A server for one try; `release` gives it back.
   *
   * @throws IsotorchError `CIRCUIT_OPEN` when none has been there for a while; the signal's reason.
   */
  take(signal: AbortSignal, avoid: Endpoint | undefined): Promise<Endpoint> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(abortError(signal));
      const abort = (): void => {
        this.#waiters = this.#waiters.filter((other) => other !== waiter);
        reject(abortError(signal));
      };
      const waiter: Waiter = {
        avoid,
        resolve: (endpoint) => {
          signal.removeEventListener("abort", abort);
          resolve(endpoint);
        },
        reject: (error) => {
          signal.removeEventListener("abort", abort);
          reject(error);
        },
      };
      signal.addEventListener("abort", abort, { once: true });
      this.#waiters.push(waiter);
      this.dispatch();
    });
  }

  release(endpoint: Endpoint): void {
    endpoint.inFlight -= 1;
    this.dispatch();
  }

  /** Lets go who may go; with no server in sight for long, everybody. */
  dispatch(): void {
    for (let [first] = this.#waiters; first !== undefined; [first] = this.#waiters) {
      const endpoint = this.#best(first.avoid);
      if (endpoint !== undefined) endpoint.inFlight += 1;
      else if (!this.isHopeless) return;
      this.#waiters.shift();
      if (endpoint === undefined) first.reject(this.#hopeless());
      else first.resolve(endpoint);
    }
  }

  #best(avoid: Endpoint | undefined): Endpoint | undefined {
    const now = performance.now();
    const free = this.#endpoints.filter((endpoint) => endpoint.isFree(now));
    const others = free.filter((endpoint) => endpoint !== avoid);
    const [first, ...rest] = others.length > 0 ? others : free;
    return rest.reduce(
      (best, endpoint) => (endpoint.inFlight < (best?.inFlight ?? 0) ? endpoint : best),
      first,
    );
  }

  #hopeless(): IsotorchError {
    const next = Math.min(...this.#endpoints.map(({ circuit }) => circuit.retryAt)) - performance.now();
    const cause = this.#endpoints.find(({ lastFailure }) => lastFailure !== undefined)?.lastFailure;
    return new IsotorchError(
      "CIRCUIT_OPEN",
      "No server has answered for a while; each is tried again now and then.",
      {
        retryAfterMs: Math.max(100, Math.ceil(next)),
        hint: "Check that the servers run; `error.cause` is the last failure.",
        ...(cause && { cause }),
      },
    );
  }
}
