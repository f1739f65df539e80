/**
 * One worker from its start to its end, over a process and a channel that it is given: handshake, requests and their replies,
 * close. Whoever waits for a reply gets one, or the reason why none will come.
 */
import { IsotorchError, abortError, closedError } from "../base/errors.ts";
import { setTimeout as delay } from "node:timers/promises";
import { type Resolvers, withResolvers } from "../base/async/resolvers.ts";
import { after, type Timer } from "../base/time/timer.ts";
import type { Channel } from "./channel.ts";
import { deathOf, errorOf } from "./failure.ts";
import type { WorkerExit, WorkerProcess } from "./process.ts";
import type { Outgoing } from "./outgoing.ts";
import { readyOf } from "./ready.ts";
import type { WorkerReady } from "./ready.ts";
import type { Reply, TaskName } from "../tasks/task.ts";
import { otherVersion } from "../protocol/wire.ts";
import type { Fields, Frame, Message, MessageOf } from "../protocol/wire.ts";

/** What a session needs of a process. */
export type SessionProcess = Pick<WorkerProcess, "pid" | "exited" | "holdOpen" | "terminate" | "kill">;
/** What a session needs of a channel. */
export type SessionChannel = Pick<Channel, "generation" | "listen" | "hold" | "send" | "close">;

export interface SessionOptions {
  /** What to load; null for a worker that only decodes. */
  readonly load: Fields<"load"> | null;
  /** Milliseconds from spawn to `hello`, and from `load` to `ready`; `progress` re-arms the second. */
  readonly timeouts: { readonly helloMs: number; readonly readyMs: number };
  readonly onProgress: (phase: string, fraction: number | null) => void;
  readonly onLog: (level: string, message: string) => void;
  /** Hears how the process ended, also during its start. `asked`: it was asked to, or killed, here. */
  readonly onExit?: (exit: WorkerExit, asked: boolean) => void;
  readonly signal?: AbortSignal | undefined;
}

interface Pending {
  readonly write: (reply: Reply) => void;
  readonly resolve: () => void;
  readonly reject: (reason: unknown) => void;
}

const STOP_MS = 5_000;
const LOAD_ID = 1;
/** A reply that was sent just before the worker's end may still be in the socket. */
const LAST_WORDS_MS = 100;

export class Session {
  readonly #options: SessionOptions;
  readonly #channel: SessionChannel;
  readonly #process: SessionProcess;
  readonly #pending = new Map<number, Pending>();
  readonly #idle = new Set<() => void>();
  readonly #startup: Resolvers<void> = withResolvers();
  #hello: Fields<"hello"> | undefined;
  #ready: WorkerReady | undefined;
  #timer: Timer | undefined;
  #phase = "starting Python";
  #started = false;
  #end: IsotorchError | undefined;
  #closing: Promise<void> | undefined;
  #release: (() => void) | undefined;
  /** Whether its end was asked for here. */
  #asked = false;
  /** Pings without an answer. */
  #pings = 0;
  /** Settles when the process is gone, reaped, and every request has its outcome. */
  readonly exited: Promise<WorkerExit>;
  /** Messages that were late, unknown, malformed or a stranger's. */
  dropped = 0;
  /** Memory of the worker's process that is in RAM, by its last answer to a ping; 0 where nothing tells. */
  residentBytes = 0;
  /** When the worker was last heard of, on the clock of `performance.now()`. */
  heardAt: number = performance.now();

  private constructor(worker: SessionProcess, channel: SessionChannel, options: SessionOptions) {
    this.#options = options;
    this.#channel = channel;
    this.#process = worker;
    channel.listen({
      onMessage: (message) => this.#receive(message),
      onUnreadable: (id, error) => this.#onUnreadable(id, error),
      onOtherVersion: (version) => this.#startup.reject(otherVersion(version)),
      onDropped: (reason) => {
        this.dropped += 1;
        options.onLog("warning", `dropped ${reason}`);
      },
    });
    this.#release = channel.hold();
    this.#arm(options.timeouts.helloMs);
    this.exited = this.#untilEnd();
  }

  /**
   * Waits for the worker's `hello` and loads the network, where there is one to load.
   *
   * @param worker is told of the channel by whoever made both.
   * @returns the session, warmed up.
   * @throws IsotorchError `WORKER_START_FAILED` with the phase, or what the worker said: `CHECKPOINT_CORRUPT`,
   * `DEVICE_UNAVAILABLE`, `ENVIRONMENT_BROKEN` and so on. The process is gone and the channel closed then.
   */
  static async start(
    worker: SessionProcess,
    channel: SessionChannel,
    options: SessionOptions,
  ): Promise<Session> {
    const session = new Session(worker, channel, options);
    const { signal } = options;
    const abort = (): void => session.#startup.reject(signal && abortError(signal));
    signal?.addEventListener("abort", abort, { once: true });
    if (signal?.aborted === true) abort();
    try {
      await session.#startup.promise;
      session.#started = true;
      return session;
    } catch (error) {
      await session.kill();
      throw error;
    } finally {
      signal?.removeEventListener("abort", abort);
      session.#timer?.cancel();
      session.#updateHold();
    }
  }

  /** What the worker is and has loaded. */
  get ready(): WorkerReady {
    if (this.#ready === undefined)
      throw new IsotorchError("WORKER_ERROR", "This worker has no network loaded.");
    return this.#ready;
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  /** Why no more requests are taken: the worker's end or the close; undefined while all is well. */
  get end(): IsotorchError | undefined {
    return this.#end;
  }

  /**
   * Sends one request and waits for the end of its answer.
   *
   * @param id the caller's own number for it, used once.
   * @param write hears each part of the answer as it comes, and its end.
   * @throws IsotorchError what the worker answered, `WORKER_DIED` or `CLOSED`.
   */
  request({ type, fields, frames }: Outgoing, id: number, write: (reply: Reply) => void): Promise<void> {
    if (this.#end !== undefined) return Promise.reject(this.#end);
    const answered = new Promise<void>((resolve, reject) => {
      this.#pending.set(id, { write, resolve, reject });
    });
    this.#updateHold();
    this.#send(type, id, fields, frames).catch((error: unknown) => this.#onUnsent(id, error));
    return answered;
  }

  /** Tells the worker that nobody waits for a request any more; it answers, at the latest when it has computed. */
  cancel(id: number): void {
    if (this.#pending.has(id)) void this.#send("cancel", id, {}, []).catch(() => undefined);
  }

  /** Asks for a sign of life; `heardAt` shows when one came. */
  ping(): void {
    this.#pings += 1;
    this.#updateHold();
    void this.#send("ping", 0, {}, []).catch(() => undefined);
  }

  /**
   * Takes no new request, lets the pending ones finish for `drainMs`, asks the worker to stop, and makes it
   * stop where asking does not help. Idempotent.
   */
  close(drainMs = 30_000): Promise<void> {
    this.#closing ??= this.#close(drainMs);
    return this.#closing;
  }

  /** Asks the worker to end by SIGTERM, and soon by SIGKILL; pending requests fail with `CLOSED`. */
  async kill(): Promise<void> {
    this.#asked = true;
    this.#finish(closedError());
    await this.#process.terminate();
    await this.exited;
  }

  /** SIGKILL: it hangs. Its pending requests fail with `WORKER_DIED`. */
  destroy(why: string): void {
    this.#asked = true;
    this.#end ??= new IsotorchError("WORKER_DIED", `The worker was killed: ${why}.`);
    this.#process.holdOpen(true);
    this.#process.kill();
  }

  async #close(drainMs: number): Promise<void> {
    this.#end ??= closedError();
    if (this.#pending.size > 0) {
      await new Promise<void>((resolve) => {
        const timer = after(drainMs, resolve);
        this.#idle.add(() => {
          timer.cancel();
          resolve();
        });
      });
    }
    this.#asked = true;
    this.#process.holdOpen(true);
    const timer = after(STOP_MS, () => void this.#process.terminate());
    await this.#send("stop", 0, {}, []).catch(() => this.#process.terminate());
    await this.exited;
    timer.cancel();
  }

  async #send<T extends TaskName | "load" | "cancel" | "ping" | "stop">(
    type: T,
    id: number,
    fields: Fields<T>,
    frames: readonly Frame[],
  ): Promise<void> {
    const { generation } = this.#channel;
    return this.#channel.send({ type, id, generation, fields, frames } as Message);
  }

  #onUnsent(id: number, error: unknown): void {
    if (!(error instanceof IsotorchError)) return this.#lost();
    if (!this.#started && id === LOAD_ID) return this.#startup.reject(error);
    return this.#settle(id)?.reject(error);
  }

  /** The socket found no peer: the worker is gone, or cut off for good. Its end decides what becomes of its requests. */
  #lost(): void {
    this.#process.holdOpen(true);
    this.#process.kill();
  }

  #receive(message: Message): void {
    this.heardAt = performance.now();
    // oxlint-disable-next-line typescript/switch-exhaustiveness-check -- only a controller sends the others, tasks among them
    switch (message.type) {
      case "hello":
        return this.#onHello(message.fields);
      case "progress":
        this.#phase = message.fields.phase;
        if (!this.#started) this.#arm(this.#options.timeouts.readyMs);
        return this.#options.onProgress(message.fields.phase, message.fields.fraction);
      case "ready":
        return this.#onReady(message);
      case "part":
        return this.#onPart(message);
      case "result":
        return this.#onResult(message);
      case "error":
        if (!this.#started) return this.#startup.reject(errorOf(message));
        return this.#settle(message.id)?.reject(errorOf(message));
      case "log":
        return this.#options.onLog(message.fields.level, message.fields.message);
      case "pong":
        this.#pings = 0;
        this.residentBytes = 1024 * (message.fields.residentKiB ?? 0);
        return this.#updateHold();
      case "ping":
        return;
      default:
        this.dropped += 1;
    }
  }

  #onPart(part: MessageOf<"part">): void {
    const pending = this.#pending.get(part.id);
    if (pending === undefined) this.dropped += 1;
    else if (!this.#write(pending, part)) {
      this.cancel(part.id);
      this.#settle(part.id);
    }
  }

  #onResult(result: MessageOf<"result">): void {
    const pending = this.#settle(result.id);
    if (pending !== undefined && this.#write(pending, result)) pending.resolve();
  }

  /** Whether the reply was taken; a call whose reply is refused fails with the reason. */
  #write({ write, reject }: Pending, reply: Reply): boolean {
    try {
      write(reply);
      return true;
    } catch (error) {
      reject(error);
      return false;
    }
  }

  #onUnreadable(id: number, error: unknown): void {
    if (!this.#started && id === LOAD_ID) return this.#startup.reject(error);
    if (this.#pending.has(id)) this.#settle(id)?.reject(error);
  }

  #onHello(hello: Fields<"hello">): void {
    this.#hello = hello;
    const { load, timeouts } = this.#options;
    if (load === null) return this.#startup.resolve();
    this.#phase = "loading";
    this.#arm(timeouts.readyMs);
    this.#send("load", LOAD_ID, load, []).catch((error: unknown) => this.#onUnsent(LOAD_ID, error));
  }

  #onReady(message: MessageOf<"ready">): void {
    if (this.#hello === undefined) return;
    try {
      this.#ready = readyOf(this.#hello, message);
      this.#startup.resolve();
    } catch (error) {
      this.#startup.reject(error);
    }
  }

  async #untilEnd(): Promise<WorkerExit> {
    const exit = await this.#process.exited;
    this.#options.onExit?.(exit, this.#asked);
    // A load that fails is answered by a process that ends at once.
    const isLoading = !this.#started && this.#hello !== undefined;
    if (this.#pending.size > 0 || isLoading) await delay(LAST_WORDS_MS);
    const death = deathOf(exit, this.#started ? undefined : this.#phase);
    this.#startup.reject(death);
    this.#finish(death);
    this.#channel.close();
    return exit;
  }

  #finish(reason: IsotorchError): void {
    const end = this.#end ?? reason;
    this.#end = end;
    for (const id of this.#pending.keys()) this.#settle(id)?.reject(end);
    this.#release?.();
    this.#release = undefined;
  }

  /** Takes a request off the books; undefined for a reply that is late, unknown or a duplicate. */
  #settle(id: number): Pending | undefined {
    const pending = this.#pending.get(id);
    if (pending === undefined) {
      this.dropped += 1;
      return undefined;
    }
    this.#pending.delete(id);
    this.#updateHold();
    if (this.#pending.size === 0) {
      for (const notify of this.#idle) notify();
      this.#idle.clear();
    }
    return pending;
  }

  /** Node stays alive, and the socket is read, exactly while something is awaited. */
  #updateHold(): void {
    const awaited = this.#pending.size > 0;
    if (awaited || this.#pings > 0) this.#release ??= this.#channel.hold();
    else {
      this.#release?.();
      this.#release = undefined;
    }
    this.#process.holdOpen(awaited);
  }

  #arm(ms: number): void {
    this.#timer?.cancel();
    this.#timer = after(ms, () => {
      const message = `The worker did not get ready: nothing heard for ${ms / 1000} s while ${this.#phase}.`;
      this.#startup.reject(
        new IsotorchError("WORKER_START_FAILED", message, { hint: "Run `npx isotorch doctor`." }),
      );
    });
  }
}
