/** A few decoder processes: started when needed, killed when they take too long, replaced when they die. */
import { fork } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { fileURLToPath } from "node:url";
import { after, type Timer } from "../../base/timer.ts";
import { IsotorchError, abortError } from "../../errors.ts";
import type { DecodeJob, DecodeReply } from "./messages.ts";

export interface DecoderOptions {
  /** Processes. @default 2 */
  readonly processes: number;
  /** Milliseconds that one picture may take. @default 10000 */
  readonly timeoutMs: number;
  /** Pictures that may wait for a process. @default 64 */
  readonly maxWaiting: number;
  /** The program; tests put another in its place. @default the one beside this file */
  readonly script?: URL;
}

/** Counts and gauges for the metrics. */
export interface DecoderStats {
  readonly busy: number;
  readonly waiting: number;
  /** Processes that were killed because a picture took too long, or was given up by its client. */
  readonly killed: number;
  /** Processes that ended by themselves. */
  readonly died: number;
}

interface Task {
  readonly job: DecodeJob;
  readonly settle: (outcome: DecodeReply | IsotorchError) => void;
  /** Processes that were killed from outside while they read it. */
  kills: number;
}

/** Signals that somebody else sends, such as the system when memory is short. A crash of a decoder has others. */
const FROM_OUTSIDE = new Set<NodeJS.Signals>(["SIGKILL", "SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT"]);
/** What nobody waits for any more may come to its end for so long: sooner than another process starts. */
const GRACE_MS = 500;

/** A process with what it is doing. */
interface Slot {
  child: ChildProcess | undefined;
  task: Task | undefined;
  timer: Timer | undefined;
}

export class DecoderPool {
  readonly #options: DecoderOptions;
  readonly #slots: Slot[];
  readonly #waiting: Task[] = [];
  #killed = 0;
  #died = 0;
  #closed = false;

  constructor(options: DecoderOptions) {
    this.#options = options;
    this.#slots = Array.from({ length: options.processes }, () => ({
      child: undefined,
      task: undefined,
      timer: undefined,
    }));
  }

  stats(): DecoderStats {
    const busy = this.#slots.filter(({ task }) => task !== undefined).length;
    return { busy, waiting: this.#waiting.length, killed: this.#killed, died: this.#died };
  }

  /**
   * Decodes in another process. Settles when nothing holds the picture any more: after an abort in half a second, at once where it
   * was waiting. A process that is killed from outside is no fault of the picture, which is tried once more.
   *
   * @throws IsotorchError what the decoder found wrong; `DECODE_FAILED` when it crashed or took too long;
   * `WORKER_DIED` when it was killed twice; `QUEUE_FULL`, `CLOSED`; the reason of the signal.
   */
  async decode(job: DecodeJob, signal: AbortSignal): Promise<Exclude<DecodeReply, { kind: "failed" }>> {
    if (this.#closed) throw closed();
    if (this.#waiting.length >= this.#options.maxWaiting) {
      throw new IsotorchError("QUEUE_FULL", "Too many pictures wait to be decoded.", { retryAfterMs: 1_000 });
    }
    if (signal.aborted) throw abortError(signal);
    let onAbort = (): void => undefined;
    const outcome = await new Promise<DecodeReply | IsotorchError>((settle) => {
      const task: Task = { job, settle, kills: 0 };
      onAbort = () => this.#drop(task, abortError(signal));
      signal.addEventListener("abort", onAbort, { once: true });
      this.#waiting.push(task);
      this.#next();
    });
    signal.removeEventListener("abort", onAbort);
    if (signal.aborted) throw abortError(signal);
    if (outcome instanceof IsotorchError) throw outcome;
    if (outcome.kind === "failed") {
      throw new IsotorchError(outcome.code, outcome.message, { hint: outcome.hint });
    }
    return outcome;
  }

  /** Starts the processes, so that the first picture does not wait for them. */
  warm(): void {
    for (const slot of this.#slots) slot.child ??= this.#start(slot);
  }

  /** Kills the processes; what waits fails with `CLOSED`. Idempotent. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const task of this.#waiting.splice(0)) task.settle(closed());
    await Promise.all(
      this.#slots.map(async (slot) => {
        const { child } = slot;
        if (child === undefined) return;
        const gone = new Promise((resolve) => child.once("exit", resolve));
        child.kill("SIGKILL");
        await gone;
      }),
    );
  }

  #next(): void {
    for (const slot of this.#slots) {
      if (slot.task !== undefined) continue;
      const task = this.#waiting.shift();
      if (task === undefined) return;
      this.#run(slot, task);
    }
  }

  #run(slot: Slot, task: Task): void {
    slot.task = task;
    slot.child ??= this.#start(slot);
    slot.child.send(task.job);
    const ms = this.#options.timeoutMs;
    slot.timer = after(ms, () => this.#kill(slot, failed(`The picture took more than ${ms} ms to decode.`)));
  }

  /** Ends what nobody waits for. */
  #drop(task: Task, reason: IsotorchError): void {
    const at = this.#waiting.indexOf(task);
    if (at !== -1) {
      this.#waiting.splice(at, 1);
      return task.settle(reason);
    }
    const slot = this.#slots.find((candidate) => candidate.task === task);
    if (slot === undefined) return;
    slot.timer?.cancel();
    slot.timer = after(GRACE_MS, () => this.#kill(slot, reason));
  }

  #kill(slot: Slot, reason: IsotorchError): void {
    this.#killed += 1;
    slot.child?.kill("SIGKILL");
    slot.child = undefined; // another one takes its place; its exit is no news any more
    this.#settle(slot, reason);
    this.#next();
  }

  #start(slot: Slot): ChildProcess {
    const script = this.#options.script ?? new URL("./child.js", import.meta.url);
    // Nothing of this process's environment is its business, such as a token.
    const env = Object.fromEntries(
      ["SystemRoot", "TMPDIR", "TEMP", "LD_LIBRARY_PATH"].flatMap((name) => {
        const value = process.env[name];
        return value === undefined ? [] : [[name, value]];
      }),
    );
    const child = fork(fileURLToPath(script), [], {
      env,
      execArgv: [],
      serialization: "advanced",
      stdio: ["ignore", "ignore", "ignore", "ipc"],
    });
    child.on("message", (reply) => {
      if (slot.child !== child) return;
      this.#settle(slot, reply as DecodeReply);
      this.#next();
    });
    child.on("exit", (_, killedBy) => this.#gone(slot, child, killedBy));
    child.on("error", () => this.#gone(slot, child, null));
    return child;
  }

  #gone(slot: Slot, child: ChildProcess, killedBy: NodeJS.Signals | null): void {
    if (slot.child !== child) return;
    slot.child = undefined;
    if (this.#closed) return this.#settle(slot, closed());
    this.#died += 1;
    const { task } = slot;
    if (task === undefined || killedBy === null || !FROM_OUTSIDE.has(killedBy)) {
      this.#settle(slot, failed("The decoder ended while it read the picture."));
    } else if (task.kills > 0) {
      this.#settle(slot, killedTwice());
    } else {
      task.kills += 1;
      slot.timer?.cancel();
      slot.task = undefined;
      this.#waiting.unshift(task);
    }
    this.#next();
  }

  #settle(slot: Slot, outcome: DecodeReply | IsotorchError): void {
    slot.timer?.cancel();
    slot.task?.settle(outcome);
    slot.task = undefined;
  }
}

function failed(message: string): IsotorchError {
  return new IsotorchError("DECODE_FAILED", message, {
    hint: "Save the picture with another program, and make it smaller.",
  });
}

function killedTwice(): IsotorchError {
  return new IsotorchError(
    "WORKER_DIED",
    "Two decoders were killed from outside while they read the picture.",
    {
      hint: "Look for what kills processes on this machine, such as too little memory, and send the picture again.",
      retryAfterMs: 1_000,
    },
  );
}

function closed(): IsotorchError {
  return new IsotorchError("CLOSED", "The server is shutting down.");
}
