/** Whose turn it is: calls wait in their order for a server that has room, and go to the one with the least to do. */
import { IsotorchError, abortError } from "../base/errors.ts";
import type { Endpoint } from "./endpoint.ts";

interface Waiter {
  /** The server that has just failed this call: it is not asked again while another one is up. */
  readonly avoid: Endpoint | undefined;
  readonly resolve: (endpoint: Endpoint) => void;
  readonly reject: (error: IsotorchError) => void;
}

export class Dispatcher {
  readonly #endpoints: readonly Endpoint[];
  readonly #patienceMs: number;
  #waiters: Waiter[] = [];

  constructor(endpoints: readonly Endpoint[], patienceMs: number) {
    this.#endpoints = endpoints;
    this.#patienceMs = patienceMs;
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
    return !this.isUp && performance.now() - downSince >= this.#patienceMs;
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
    const isHopeless = this.isHopeless;
    const staying = this.#waiters.filter((waiter) => {
      const endpoint = this.#best(waiter.avoid);
      if (endpoint === undefined && !isHopeless) return true;
      if (endpoint === undefined) waiter.reject(this.#hopeless());
      else {
        endpoint.inFlight += 1;
        waiter.resolve(endpoint);
      }
      return false;
    });
    this.#waiters = staying;
  }

  #best(avoid: Endpoint | undefined): Endpoint | undefined {
    const now = performance.now();
    const isOtherUp = this.#endpoints.some((endpoint) => endpoint !== avoid && endpoint.isUp);
    const [first, ...rest] = this.#endpoints.filter(
      (endpoint) => endpoint.isFree(now) && !(isOtherUp && endpoint === avoid),
    );
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
