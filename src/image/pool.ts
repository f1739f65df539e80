/** Processes that prepare pictures: the program's event loop stays free, and a decoder that hangs or crashes can be ended. */
import { availableParallelism } from "node:os";
import { Holding } from "../base/holding.ts";
import { checkAddressSpace } from "../base/memory.ts";
import { after, type Timer } from "../base/time/timer.ts";
import { type IsotorchError, abortError } from "../base/errors.ts";
import type { OwnDigests } from "./attest/built-in.ts";
import { built } from "./built.ts";
import {
  crashed,
  endingText,
  isFromOutside,
  killedTwice,
  poolClosed,
  tooManyWait,
  unable,
  unstartable,
} from "./process/failures.ts";
import type { Work } from "./process/messages.ts";
import { type Call, type Loss, Place } from "./process/place.ts";
import type { ChildEnd } from "../base/child.ts";
import type { Job, Prepared } from "./prepare.ts";

export interface PoolOptions {
  /** Processes at most; each has one picture at a time. */
  readonly processes: number;
  /** Milliseconds that one picture may take. @default Infinity */
  readonly timeoutMs?: number;
  /** Pictures that may wait for a process. @default Infinity */
  readonly maxWaiting?: number;
  /** The program; tests put another in its place. */
  readonly script?: URL;
}

/** Counts and gauges. */
export interface PoolStats {
  /** Processes that have a picture, also one that nobody waits for any more. */
  readonly busy: number;
  readonly waiting: number;
  /** Processes that were killed because a picture took too long, or was given up by its caller. */
  readonly killed: number;
  /** Processes that ended by themselves. */
  readonly died: number;
}

/** A picture that has waited for so long gets another process, which costs a tenth of a second of processor time. */
const PATIENCE_MS = 50;
/** Starts in a row that others may spoil. */
const MOST_SPOILED = 3;

/** First come, first served. */
export class Pool {
  readonly #processes: number;
  readonly #timeoutMs: number;
  readonly #maxWaiting: number;
  readonly #script: URL;
  readonly #holding = new Holding();
  readonly #waiting: Call[] = [];
  #places: readonly Place[] = [];
  /** Places that have something to finish, and get nothing more. */
  readonly #leaving = new Set<Place>();
  #patience: Timer | undefined;
  #users = 0;
  /** Places that stay without work. */
  #kept = 1;
  /** Whether another place may be tried while there is one. */
  #grows = true;
  #spoiled = 0;
  #killed = 0;
  #died = 0;
  #isClosed = false;
  #own: Promise<OwnDigests> | undefined;

  constructor({ processes, timeoutMs = Infinity, maxWaiting = Infinity, script }: PoolOptions) {
    this.#processes = processes;
    this.#timeoutMs = timeoutMs;
    this.#maxWaiting = maxWaiting;
    this.#script = script ?? built("process/child.js");
  }

  stats(): PoolStats {
    const busy = this.#places.filter(({ isBusy }) => isBusy).length;
    return { busy, waiting: this.#waiting.length, killed: this.#killed, died: this.#died };
  }

  /**
   * Prepares a picture in another process. An abort settles the call at once; the process is killed if it has not finished the
   * picture half a second later. A picture whose process ends under it is given to another one, once.
   *
   * @param holds hears, before an abort settles the call, of what resolves once no process holds the picture any more.
   * @throws IsotorchError as `prepare`; `DECODE_FAILED` where two processes crashed or it took too long; `WORKER_DIED` where two
   * were killed from outside; `WORKER_START_FAILED`, `OUT_OF_MEMORY`, `QUEUE_FULL`, `CLOSED`; the reason of the signal.
   */
  run(job: Job, signal: AbortSignal, holds?: (work: Promise<unknown>) => void): Promise<Prepared> {
    return this.#call(job, signal, holds) as Promise<Prepared>;
  }

  /** Node's side of the attestation, made once. @throws IsotorchError as {@link run}. */
  attest(): Promise<OwnDigests> {
    this.#own ??= this.#call("attest", new AbortController().signal).catch((error: unknown) => {
      this.#own = undefined;
      throw error;
    }) as Promise<OwnDigests>;
    return this.#own;
  }

  /**
   * Starts a process, which takes a while to load its decoder, and keeps it until the function that is returned is called.
   * That ends the processes once they have done what somebody waits for, unless somebody else keeps them.
   */
  enter(): () => Promise<void> {
    this.#users += 1;
    // A process that cannot be started is told to whoever has a picture for it.
    if (this.#places.length === 0) this.#start();
    let left: Promise<void> | undefined;
    return () => (left ??= this.#leave());
  }

  /** Starts all processes, and keeps them. */
  warm(): void {
    this.#users += 1;
    this.#kept = this.#processes;
    for (let count = this.#places.length; count < this.#kept; count++) this.#start();
  }

  /** Kills the processes; what waits or runs fails with `CLOSED`. Idempotent. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#failWaiting(poolClosed());
    for (const place of this.#places) place.fail(poolClosed());
    await this.#endAll();
  }

  async #leave(): Promise<void> {
    this.#users -= 1;
    if (this.#users === 0) await this.#endAll();
  }

  async #endAll(): Promise<void> {
    const places = this.#places;
    this.#places = [];
    await this.#holding.until(
      Promise.all(
        places.map(async (place) => {
          this.#leaving.add(place);
          await place.alone();
          await place.end();
          this.#leaving.delete(place);
        }),
      ),
    );
  }

  async #call(
    work: Work,
    signal: AbortSignal,
    holds: (work: Promise<unknown>) => void = () => undefined,
  ): Promise<Prepared | OwnDigests> {
    if (this.#isClosed) throw poolClosed();
    if (this.#waiting.length >= this.#maxWaiting) throw tooManyWait();
    if (signal.aborted) throw abortError(signal);
    let onAbort = (): void => undefined;
    const made = new Promise<Prepared | OwnDigests>((resolve, reject) => {
      const call: Call = { work, resolve, reject, kills: 0, crashes: 0 };
      onAbort = () => {
        holds(this.#drop(call));
        reject(abortError(signal));
      };
      signal.addEventListener("abort", onAbort, { once: true });
      this.#waiting.push(call);
      this.#serve();
    });
    try {
      return await this.#holding.until(made);
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  }

  /** Resolves once nothing holds the call any more. */
  async #drop(call: Call): Promise<void> {
    const at = this.#waiting.indexOf(call);
    if (at !== -1) this.#waiting.splice(at, 1);
    await [...this.#places, ...this.#leaving].find((place) => place.has(call))?.drop();
  }

  #serve(): void {
    for (const place of this.#places) {
      while (place.isFree) {
        const call = this.#waiting.shift();
        if (call === undefined) return;
        place.give(call, this.#timeoutMs);
      }
    }
    if (this.#waiting.length === 0) return;
    if (this.#places.length === 0) this.#start();
    else if (this.#mayGrow && this.#patience === undefined) {
      this.#patience = after(PATIENCE_MS, () => this.#onPatience(), false);
    }
  }

  get #mayGrow(): boolean {
    return this.#grows && this.#places.length < this.#processes;
  }

  #onPatience(): void {
    this.#patience = undefined;
    const starting = this.#places.filter(({ isStarting }) => isStarting).length;
    if (this.#waiting.length > starting && this.#mayGrow) this.#start();
    this.#serve();
  }

  #start(): void {
    try {
      checkAddressSpace();
      const place: Place = new Place(this.#script, {
        free: () => this.#onFree(),
        idle: () => this.#onIdle(place),
        lost: (loss) => this.#onLost(place, loss),
      });
      this.#places = [...this.#places, place];
    } catch (error) {
      this.#onStartFailed(unstartable(error));
    }
  }

  #onFree(): void {
    this.#grows = true;
    this.#spoiled = 0;
    this.#serve();
  }

  #onIdle(place: Place): void {
    if (this.#places.length <= this.#kept) return;
    this.#remove(place);
    void place.end();
  }

  #onLost(place: Place, loss: Loss): void {
    this.#remove(place);
    if (loss.kind === "killed") {
      this.#killed += 1;
      // The next picture need not wait for it.
      if (this.#users > 0 && this.#places.length < this.#kept) this.#start();
    } else if (loss.kind === "unable") return this.#onStartFailed(unable(loss.cause));
    else {
      this.#died += 1;
      const { ending, call } = loss;
      if (!loss.wasReady && !(isFromOutside(ending) && ++this.#spoiled < MOST_SPOILED)) {
        return this.#onStartFailed(unstartable(ending.error ?? new Error(endingText(ending))));
      }
      if (call) this.#again(call, ending);
    }
    this.#serve();
  }

  /** The picture of a process that ended: to be prepared by another one, unless it was this one's second. */
  #again(call: Call, ending: ChildEnd): void {
    if (isFromOutside(ending)) call.kills += 1;
    else call.crashes += 1;
    if (call.crashes > 1) call.reject(crashed(ending));
    else if (call.kills > 1) call.reject(killedTwice());
    else this.#waiting.unshift(call);
  }

  /** If it was the only one, nobody is left waiting. */
  #onStartFailed(error: IsotorchError): void {
    this.#grows = false;
    this.#spoiled = 0;
    if (this.#places.length === 0) this.#failWaiting(error);
    else this.#serve();
  }

  #failWaiting(error: IsotorchError): void {
    for (const call of this.#waiting.splice(0)) call.reject(error);
  }

  #remove(place: Place): void {
    this.#places = this.#places.filter((other) => other !== place);
  }
}

/** The processes of this program. */
export const pictures: Pool = new Pool({ processes: Math.min(4, availableParallelism()) });
