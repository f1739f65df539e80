/** Threads that prepare pictures, so that the event loop of the program stays free. */
import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import { checkAddressSpace, outOfMemory } from "../base/memory.ts";
import { IsotorchError, abortError, messageOf } from "../errors.ts";
import { built } from "./built.ts";
import type { OwnDigests } from "./attest/built-in.ts";
import { type Carried, revive } from "./carried.ts";
import type { Job, Prepared } from "./prepare.ts";

/** `attest`: decode and resize the pictures of the attestation. */
export type ToThread = { readonly id: number; readonly job: Job | "attest" } | { readonly abort: number };
export type FromThread =
  | { readonly id: number; readonly prepared: Prepared }
  | { readonly id: number; readonly digests: OwnDigests }
  | { readonly id: number; readonly error: Carried };

/** Pictures in a thread at a time: sharp decodes them beside the thread, in as many threads as Node gives it (4). */
const AT_A_TIME = Math.min(4, Math.max(2, availableParallelism()));

interface Call {
  readonly job: Job | "attest";
  resolve(made: Prepared | OwnDigests): void;
  reject(error: Error): void;
}

/** One thread and the pictures that it has. */
class Thread {
  readonly #worker: Worker;
  readonly #calls = new Map<number, Call>();
  readonly #onIdle: (() => void)[] = [];
  #next = 0;
  #ended = false;

  /** @param freed is called whenever a place has become free. @param died once it has ended by itself. */
  constructor(program: URL, freed: () => void, died: () => void) {
    this.#worker = new Worker(program, { name: "isotorch pictures", execArgv: [] });
    this.#worker.on("message", (reply: FromThread) => {
      this.#settle(reply);
      freed();
    });
    // Listening to messages keeps the process alive, so it is let go after that.
    this.#worker.unref();
    const onEnd = (cause: unknown): void => {
      if (this.#ended) return;
      this.#ended = true;
      died();
      const calls = [...this.#calls.values()];
      this.#calls.clear();
      for (const call of calls) call.reject(death(cause));
      this.#idle();
    };
    this.#worker.once("error", onEnd);
    this.#worker.once("exit", (code) => onEnd(new Error(`exit code ${code}`)));
  }

  get free(): boolean {
    return this.#calls.size < AT_A_TIME;
  }

  start(call: Call): void {
    const id = this.#next++;
    try {
      const message: ToThread = { id, job: ownMemory(call.job) };
      this.#worker.postMessage(message, memoryOf(message.job));
    } catch (error) {
      // Too little memory for a copy, which is this call's trouble alone.
      call.reject(outOfMemory(error) ?? (error instanceof Error ? error : new Error(String(error))));
      return;
    }
    this.#calls.set(id, call);
    this.#worker.ref();
  }

  /** Tells the thread, if the call is here; its place is free when the thread has answered. */
  abort(call: Call): void {
    for (const [id, other] of this.#calls) {
      if (other !== call) continue;
      const message: ToThread = { abort: id };
      this.#worker.postMessage(message, []);
    }
  }

  /** Lets it finish what it has, then ends it. */
  async end(): Promise<void> {
    if (this.#calls.size > 0) await new Promise<void>((resolve) => this.#onIdle.push(resolve));
    this.#ended = true;
    await this.#worker.terminate();
  }

  #settle(reply: FromThread): void {
    const call = this.#calls.get(reply.id);
    this.#calls.delete(reply.id);
    if (this.#calls.size === 0) this.#idle();
    if ("prepared" in reply) call?.resolve(reply.prepared);
    else if ("digests" in reply) call?.resolve(reply.digests);
    else call?.reject(revive(reply.error));
  }

  #idle(): void {
    this.#worker.unref();
    for (const resolve of this.#onIdle.splice(0)) resolve();
  }
}

/** First come, first served; threads start when there is something to do. */
export class Pool {
  readonly #size: number;
  readonly #program: URL;
  #waiting: Call[] = [];
  #threads: readonly Thread[] = [];
  #users = 0;
  #own: Promise<OwnDigests> | undefined;

  /** @param size most threads. @param program what they run. */
  constructor(size: number, program: URL = built("thread.js")) {
    this.#size = size;
    this.#program = program;
  }

  /**
   * Prepares a picture in a thread.
   *
   * @throws IsotorchError as `prepare`; `WORKER_DIED` when the thread ended; what the signal's reason says.
   */
  run(job: Job, signal: AbortSignal): Promise<Prepared> {
    return this.#call(job, signal) as Promise<Prepared>;
  }

  /** Node's side of the attestation, made in a thread once for the whole process. @throws IsotorchError `WORKER_DIED`. */
  attest(): Promise<OwnDigests> {
    this.#own ??= this.#call("attest", new AbortController().signal).catch((error: unknown) => {
      this.#own = undefined;
      throw error;
    }) as Promise<OwnDigests>;
    return this.#own;
  }

  async #call(job: Job | "attest", signal: AbortSignal): Promise<Prepared | OwnDigests> {
    if (signal.aborted) throw abortError(signal);
    let onAbort = (): void => undefined;
    try {
      return await new Promise((resolve, reject) => {
        const call: Call = { job, resolve, reject };
        onAbort = () => {
          reject(abortError(signal));
          this.#waiting = this.#waiting.filter((other) => other !== call);
          for (const thread of this.#threads) thread.abort(call);
        };
        signal.addEventListener("abort", onAbort, { once: true });
        this.#waiting.push(call);
        this.#serve();
      });
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  }

  /**
   * Starts a thread, which takes a while to load its decoder, and keeps it until the function that is returned is called.
   * That ends the threads once they have done what they have, unless somebody else keeps them.
   */
  enter(): () => Promise<void> {
    this.#users += 1;
    // A thread that cannot be started is told to whoever has a picture for it.
    if (this.#threads.length === 0) this.#addOrFail();
    let left: Promise<void> | undefined;
    return () => (left ??= this.#leave());
  }

  async #leave(): Promise<void> {
    this.#users -= 1;
    if (this.#users > 0) return;
    const threads = this.#threads;
    this.#threads = [];
    await Promise.all(threads.map((thread) => thread.end()));
  }

  #serve(): void {
    for (;;) {
      const call = this.#waiting[0];
      if (call === undefined) return;
      const thread = this.#threads.find(({ free }) => free) ?? this.#addOrFail();
      if (thread === undefined) return;
      this.#waiting.shift();
      thread.start(call);
    }
  }

  /** Another thread, where there is room for one. If it cannot be started and is the only one, nobody is left waiting. */
  #addOrFail(): Thread | undefined {
    try {
      return this.#add();
    } catch (error) {
      const waiting = this.#threads.length === 0 ? this.#waiting : [];
      this.#waiting = this.#waiting.filter((call) => !waiting.includes(call));
      for (const call of waiting) call.reject(unstartable(error));
      return undefined;
    }
  }

  #add(): Thread | undefined {
    if (this.#threads.length >= this.#size) return undefined;
    checkAddressSpace();
    const thread: Thread = new Thread(
      this.#program,
      () => this.#serve(),
      () => {
        this.#threads = this.#threads.filter((other) => other !== thread);
        this.#serve();
      },
    );
    this.#threads = [...this.#threads, thread];
    return thread;
  }
}

/** The threads of this process. */
export const pictures: Pool = new Pool(1);

/** The job with memory that may be handed over: what the caller gave stays the caller's. */
function ownMemory(job: Job | "attest"): Job | "attest" {
  if (job === "attest") return job;
  const { source } = job;
  if (source.kind === "file") return job;
  if (source.kind === "encoded")
    return { ...job, source: { ...source, bytes: new Uint8Array(source.bytes) } };
  const { pixels } = source;
  return { ...job, source: { ...source, pixels: { ...pixels, data: new Uint8Array(pixels.data) } } };
}

function memoryOf(job: Job | "attest"): ArrayBuffer[] {
  if (job === "attest") return [];
  const { source } = job;
  if (source.kind === "file") return [];
  const { buffer } = source.kind === "encoded" ? source.bytes : source.pixels.data;
  return buffer instanceof ArrayBuffer ? [buffer] : [];
}

function unstartable(cause: unknown): IsotorchError {
  if (cause instanceof IsotorchError) return cause;
  const message = `The thread that prepares pictures cannot be started: ${messageOf(cause)}`;
  return (
    outOfMemory(cause) ??
    new IsotorchError("WORKER_START_FAILED", message, {
      hint: "Raise what limits this process: `ulimit -u` (threads), `ulimit -v` (addresses), `ulimit -n` (files)",
      cause,
    })
  );
}

function death(cause: unknown): IsotorchError {
  const refusal = outOfMemory(cause);
  if (refusal !== undefined) return refusal;
  return new IsotorchError(
    "WORKER_DIED",
    `The thread that prepared the picture ended: ${messageOf(cause)}.`,
    {
      hint: "Call again: another thread takes its place. If it ends too, the picture may need more memory than there is.",
      cause,
    },
  );
}
