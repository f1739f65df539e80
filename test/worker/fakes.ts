/** Workers without a process, and channels without a socket, for sessions and supervisors. */
import { encodedFrame } from "../../src/protocol/frames.ts";
import type { Frame } from "../../src/protocol/frames.ts";
import type { Message, MessageOf } from "../../src/protocol/wire.ts";
import type { Reply } from "../../src/tasks/task.ts";
import type { ChannelListener } from "../../src/worker/channel.ts";
import { deathOf } from "../../src/worker/failure.ts";
import type { Outgoing } from "../../src/worker/outgoing.ts";
import type { WorkerExit } from "../../src/worker/process.ts";
import type { WorkerReady } from "../../src/worker/ready.ts";
import type { SessionChannel, SessionProcess } from "../../src/worker/session.ts";
import type { Call, SupervisedSession } from "../../src/worker/supervisor.ts";
import { withResolvers } from "../../src/base/async/resolvers.ts";

export const READY: WorkerReady = {
  hello: { package: "0", proof: "0".repeat(64), pid: 42, python: "3", executable: "python3" },
  versions: {},
  device: "cpu",
  deviceName: "fake",
  deviceReason: "fake",
  threads: 1,
  threadsReason: "fake",
  precision: "exact",
  model: "resnet101",
  sha256: "0".repeat(64),
  checkpointKey: "",
  prefix: "",
  maxBatch: 1,
  warmupMs: 0,
  blasGflops: 12.5,
  network: {
    classes: 1_000,
    embedding: 2_048,
    transforms: "IMAGENET1K_V1",
    spec: { resize: 256, crop: 224, mean: [0, 0, 0], std: [1, 1, 1], interpolation: "bilinear" },
    categories: [],
    models: [],
    digests: {},
  },
  remarks: [],
};

export const KILLED: WorkerExit = { code: null, signal: "SIGKILL", stderr: "" };
/** A worker that crashed by itself. */
export const CRASHED: WorkerExit = {
  code: null,
  signal: "SIGSEGV",
  stderr: "Fatal Python error: Segmentation fault",
};

/** A call that is answered token by token; nobody looks at what it asks for. */
export function streamed(text: string, isReplayable = true): Call {
  const fields = { handoff: "encoded", topK: 1, activation: "softmax", include: [], maxPixels: 1 } as const;
  return { task: "classify", isReplayable, fields, frames: [encodedFrame(Buffer.from(text))], apart: true };
}

/** A part with these tokens. */
export function part(sequence: number, ...tokens: readonly number[]): MessageOf<"part"> {
  const logprobs = new Uint8Array(Float32Array.from(tokens, () => -0.5).buffer);
  const frames: Frame[] = [
    tokenFrame(tokens),
    { name: "logprobs", dtype: "<f4", shape: [tokens.length], data: logprobs },
  ];
  return { type: "part", id: 0, generation: 1, fields: { sequence }, frames };
}

/** The end of an answer, with all tokens. */
export function result(...tokens: readonly number[]): MessageOf<"result"> {
  const fields = { timings: {}, batch: 1 };
  return { type: "result", id: 0, generation: 1, fields, frames: [tokenFrame(tokens)] };
}

function tokenFrame(tokens: readonly number[]): Frame {
  const data = new Uint8Array(BigInt64Array.from(tokens, BigInt).buffer);
  return { name: "tokens", dtype: "<i8", shape: [tokens.length], data };
}

/** The tokens in a reply. */
export function tokensOf({ frames }: Reply): number[] {
  const frame = frames.find(({ name }) => name === "tokens");
  return Array.from(new BigInt64Array(Uint8Array.from(frame?.data ?? []).buffer), Number);
}

interface Asked {
  readonly request: Outgoing;
  readonly write: (reply: Reply) => void;
  readonly resolve: () => void;
  readonly reject: (reason: unknown) => void;
}

/** A worker that is ready, and answers when the test says so. */
export class FakeSession implements SupervisedSession {
  readonly ready: WorkerReady = READY;
  readonly pid = 42;
  readonly heardAt = 0;
  readonly residentBytes = 0;
  readonly dropped = 0;
  end: SupervisedSession["end"];
  /** Requests that have no end of their answer yet, by their ids. */
  readonly asked: Map<number, Asked> = new Map();
  readonly cancelled: number[] = [];
  destroyed: string | undefined;
  readonly #exit = withResolvers<WorkerExit>();
  readonly exited: Promise<WorkerExit> = this.#exit.promise;
  readonly #onExit: (exit: WorkerExit, asked: boolean) => void;

  constructor(onExit: (exit: WorkerExit, asked: boolean) => void = () => undefined) {
    this.#onExit = onExit;
  }

  request(request: Outgoing, id: number, write: (reply: Reply) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      this.asked.set(id, { request, write, resolve, reject });
    });
  }

  /** Answers the oldest request, as far as these replies go. */
  answer(...replies: readonly Reply[]): void {
    const [[id, { write, resolve, reject }] = [0, undefined as never]] = this.asked;
    try {
      for (const reply of replies) {
        write(reply);
        if (reply.type === "result") resolve();
      }
    } catch (error) {
      reject(error);
    }
    if (replies.some(({ type }) => type === "result")) this.asked.delete(id);
  }

  /** The process ends. */
  die(exit: WorkerExit = CRASHED): void {
    this.end = deathOf(exit, undefined);
    for (const { reject } of this.asked.values()) reject(this.end);
    this.#onExit(exit, false);
    this.#exit.resolve(exit);
  }

  cancel(id: number): void {
    this.cancelled.push(id);
  }

  ping(): void {
    // It is heard of at its answers only.
  }

  close(): Promise<void> {
    this.#exit.resolve({ code: 0, signal: null, stderr: "" });
    return Promise.resolve();
  }

  destroy(why: string): void {
    this.destroyed = why;
    this.die({ code: null, signal: "SIGKILL", stderr: "" });
  }
}

/** A process that does nothing, and ends when the test, or a signal, says so. */
export class FakeProcess implements SessionProcess {
  readonly pid = 42;
  readonly #exit = withResolvers<WorkerExit>();
  readonly exited: Promise<WorkerExit> = this.#exit.promise;
  /** Whether Node stays alive for it. */
  isHeld = true;

  holdOpen(hold: boolean): void {
    this.isHeld = hold;
  }

  terminate(): Promise<WorkerExit> {
    this.end({ code: null, signal: "SIGTERM", stderr: "" });
    return this.exited;
  }

  kill(): void {
    this.end(KILLED);
  }

  end(exit: WorkerExit): void {
    this.#exit.resolve(exit);
  }
}

/** A channel whose other end is the test. */
export class FakeChannel implements SessionChannel {
  readonly generation = 1;
  readonly sent: Message[] = [];
  holds = 0;
  isClosed = false;
  #listener: ChannelListener | undefined;

  listen(listener: ChannelListener): void {
    this.#listener = listener;
  }

  hold(): () => void {
    this.holds += 1;
    return () => void (this.holds -= 1);
  }

  /** What sending fails with: ZeroMQ's error where no peer is left. */
  unsent: Error | undefined;

  send(message: Message): Promise<void> {
    if (this.unsent !== undefined) return Promise.reject(this.unsent);
    this.sent.push(message);
    return Promise.resolve();
  }

  close(): void {
    this.isClosed = true;
  }

  /** The worker says something. */
  say(message: Message): void {
    this.#listener?.onMessage(message);
  }

  /** The worker says something that cannot be read. */
  sayUnreadable(id: number, error: unknown): void {
    this.#listener?.onUnreadable(id, error);
  }
}
