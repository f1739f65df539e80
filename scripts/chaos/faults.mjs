// The faults of the random storm. Each is drawn from the seed alone; `play` does it and waits until it is over.
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { Dealer } from "zeromq";
import { tmpdir } from "node:os";
import { signal, socketDirectories } from "./system.mjs";

/** A payload that makes the worker misbehave once; its call succeeds at the second try. */
const once =
  (name) =>
  async ({ book, folder, n }) => {
    await book.call(`fault:${name}@${join(folder, `${name}-${n}`)} ${n}`);
  };

/** A payload whose call ends with one of these codes, or as always. */
const always =
  (name, ...allowed) =>
  async ({ book, n }) => {
    await book.call(`fault:${name} ${n}`, { allowed });
  };

const killBy =
  (how) =>
  ({ supervisor }) => {
    const { pid } = supervisor.health();
    if (pid !== undefined) signal(pid, how);
  };

export const FAULTS = {
  "killed by SIGKILL": killBy("SIGKILL"),
  "killed by SIGSEGV": killBy("SIGSEGV"),
  "killed by SIGTERM": killBy("SIGTERM"),
  "dies with the picture": once("sigkill"),
  "crashes with the picture": once("segfault"),
  "exits with 0": once("exit-0"),
  "raises an exception": once("traceback"),
  "dies after the answer": once("sigkill-after"),
  // Where workers end so without it too, it is not blamed.
  "poison, by SIGKILL": always("sigkill", "POISON_INPUT", "WORKER_DIED"),
  "poison, by SIGSEGV": always("segfault", "POISON_INPUT"),
  "hangs, interruptible": once("hang"),
  "hangs, GIL held": once("hold-gil"),
  "stopped for good": once("stop"),
  "garbage on the socket": always("garbage"),
  "answers twice": always("twice"),
  "floods stdout": always("stdout-flood"),
  NaN: always("non-finite", "NON_FINITE_OUTPUT"),
  "error of one picture": always("error", "WORKER_ERROR"),
  async "stopped and continued"({ supervisor, ms }) {
    const { pid } = supervisor.health();
    if (pid === undefined) return;
    signal(pid, "SIGSTOP");
    await delay(ms * 3);
    signal(pid, "SIGCONT");
  },
  async "controller asleep"({ silenceMs }) {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, silenceMs + 200);
    await delay(0);
  },
  async "caller aborts"({ book, n, ms }) {
    const signals = Array.from({ length: 5 }, (_, i) => AbortSignal.timeout(Math.round((ms * i) / 4)));
    const calls = signals.map((aborted, i) =>
      book.call(`fault:slow abort ${n}.${i}`, { signal: aborted, allowed: ["ABORTED"] }),
    );
    await Promise.all(calls);
  },
  async "deadline too short"({ book, n, ms }) {
    const calls = Array.from({ length: 5 }, (_, i) =>
      book.call(`fault:slow late ${n}.${i}`, { timeoutMs: ms + i * 50, allowed: ["DEADLINE_EXCEEDED"] }),
    );
    await Promise.all(calls);
  },
  async "more calls than fit"({ book, n }) {
    const calls = Array.from({ length: 300 }, (_, i) =>
      book.call(`flood ${n}.${i}`, { allowed: ["QUEUE_FULL"] }),
    );
    await Promise.all(calls);
  },
  async "a stranger on the socket"({ n }) {
    const [directory] = socketDirectories();
    if (directory === undefined) return;
    const stranger = new Dealer({ linger: 100 });
    stranger.connect(`ipc://${join(tmpdir(), directory, "w")}`);
    for (let i = 0; i < 20; i++) await stranger.send([randomBytes(1 + ((n + i) % 64)), randomBytes(8)]);
    await delay(20);
    stranger.close();
  },
};

/** The n-th fault of a schedule: a name, milliseconds before it, and milliseconds for what it needs. */
export function drawFault(random) {
  return {
    name: random.pick(Object.keys(FAULTS)),
    gapMs: random.integer(0, 150),
    ms: random.integer(1, 100),
  };
}
