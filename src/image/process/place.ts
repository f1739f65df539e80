/** A place where pictures are prepared: one process, and the picture that it has. */
import type { ChildEnd } from "../../base/child.ts";
import { outOfMemory } from "../../base/memory.ts";
import { after, type Timer } from "../../base/time/timer.ts";
import type { OwnDigests } from "../attest/built-in.ts";
import { deserialise } from "../serialised-error.ts";
import type { Prepared } from "../prepare.ts";
import { received, sent } from "./crossing.ts";
import { tookTooLong } from "./failures.ts";
import type { FromChild, Work } from "./messages.ts";
import { PictureProcess } from "./process.ts";

/** What nobody waits for any more may come to its end for so long: about as long as another process takes to start. */
const GRACE_MS = 500;
/** A process that said nothing for so long after its start never will. */
const START_MS = 60_000;
/** Without work for so long, a place may be given up. */
const IDLE_MS = 60_000;

/** Work that somebody waits for. */
export interface Call {
  readonly work: Work;
  resolve(made: Prepared | OwnDigests): void;
  reject(error: Error): void;
  /** Processes that ended under it: killed from outside, and by themselves. */
  kills: number;
  crashes: number;
}

/** How a place was lost. */
export type Loss =
  /** Its process took too long, for its limit or for anybody's patience. */
  | { readonly kind: "killed" }
  /** Its process could not begin. */
  | { readonly kind: "unable"; readonly cause: unknown }
  | {
      readonly kind: "ended";
      readonly ending: ChildEnd;
      readonly wasReady: boolean;
      readonly call: Call | undefined;
    };

/** Who hears of a place. */
export interface PlaceEvents {
  /** It may be given work. */
  free(): void;
  /** It had none for a minute. */
  idle(): void;
  /** It is of no use any more. Called once at most, and never after `end`. */
  lost(loss: Loss): void;
}

export class Place {
  readonly #process: PictureProcess;
  readonly #events: PlaceEvents;
  #state: "starting" | "free" | "busy" | "over" = "starting";
  #id = 0;
  /** Undefined also where the process is busy with what nobody waits for any more. */
  #call: Call | undefined;
  #timer: Timer;
  #onAlone: (() => void)[] = [];
  /** Hears that what nobody waits for any more is not held either. */
  #onGivenUp: (() => void) | undefined;

  /** Starts the process. @throws Error where that cannot even be tried. */
  constructor(script: URL, events: PlaceEvents) {
    this.#events = events;
    this.#process = new PictureProcess(
      script,
      (message) => this.#hear(message),
      (ending) => this.#onEnd(ending),
    );
    const silent = new Error(`it was not ready after ${START_MS} ms`);
    this.#timer = after(START_MS, () => this.#lose({ kind: "unable", cause: silent }), false);
  }

  get isStarting(): boolean {
    return this.#state === "starting";
  }

  get isFree(): boolean {
    return this.#state === "free";
  }

  get isBusy(): boolean {
    return this.#state === "busy";
  }

  /** @param timeoutMs how long the process may take. */
  give(call: Call, timeoutMs: number): void {
    const id = ++this.#id;
    try {
      this.#process.send({ id, job: sent(call.work) });
    } catch (error) {
      return call.reject(thrown(error));
    }
    this.#state = "busy";
    this.#call = call;
    this.#after(timeoutMs, () => {
      this.#take()?.reject(tookTooLong(timeoutMs));
      this.#lose({ kind: "killed" });
    });
  }

  /** Whether the call is here, and somebody waits for it. */
  has(call: Call): boolean {
    return this.#call === call;
  }

  /** Nobody waits for its call any more. Resolves when that is given up. */
  drop(): Promise<void> {
    // Before whoever waits for this place to be alone may end it.
    const givenUp = new Promise<void>((resolve) => (this.#onGivenUp = resolve));
    this.#take();
    this.#process.send({ abort: this.#id });
    this.#after(GRACE_MS, () => this.#lose({ kind: "killed" }));
    return givenUp;
  }

  /** Fails what it has. */
  fail(error: Error): void {
    this.#take()?.reject(error);
  }

  /** Resolves once it has nothing that anybody waits for. */
  async alone(): Promise<void> {
    if (this.#call !== undefined) await new Promise<void>((resolve) => this.#onAlone.push(resolve));
  }

  /** Kills the process; resolves once it is gone. */
  async end(): Promise<void> {
    this.#state = "over";
    this.#timer.cancel();
    await this.#process.kill();
    this.#onGivenUp?.();
  }

  #hear(message: FromChild): void {
    if (this.#state === "over") return;
    if (message === "ready") return this.#free();
    if ("unable" in message) return this.#lose({ kind: "unable", cause: deserialise(message.unable) });
    if (message.id !== this.#id) return;
    const call = this.#take();
    if (call) answer(call, message);
    this.#free();
  }

  #free(): void {
    this.#state = "free";
    this.#onGivenUp?.();
    this.#after(IDLE_MS, () => this.#events.idle());
    this.#events.free();
  }

  #onEnd(ending: ChildEnd): void {
    if (this.#state === "over") return;
    const wasReady = this.#state !== "starting";
    this.#state = "over";
    this.#timer.cancel();
    this.#onGivenUp?.();
    this.#events.lost({ kind: "ended", ending, wasReady, call: this.#take() });
  }

  #lose(loss: Loss): void {
    if (this.#state === "over") return;
    void this.end();
    this.#events.lost(loss);
  }

  #take(): Call | undefined {
    const call = this.#call;
    this.#call = undefined;
    for (const resolve of this.#onAlone.splice(0)) resolve();
    return call;
  }

  #after(ms: number, action: () => void): void {
    this.#timer.cancel();
    this.#timer = after(ms, action, false);
  }
}

function answer(call: Call, message: Exclude<FromChild, string | { unable: unknown }>): void {
  try {
    if ("prepared" in message) call.resolve(received(message, call.work));
    else if ("digests" in message) call.resolve(message.digests);
    else call.reject(deserialise(message.error));
  } catch (error) {
    call.reject(thrown(error));
  }
}

/** Too little memory for a copy is the trouble of its call alone. */
function thrown(error: unknown): Error {
  return outOfMemory(error) ?? (error instanceof Error ? error : new Error(String(error)));
}
