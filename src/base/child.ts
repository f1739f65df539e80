/** The one owner of a child process: starts it, keeps its last words, tells how it ended, ends it with its descendants. */
import { spawn, spawnSync } from "node:child_process";
import type { ChildProcess, ChildProcessByStdio, ChildProcessWithoutNullStreams } from "node:child_process";
import type { Socket } from "node:net";
import type { Readable } from "node:stream";
import { onAborted } from "./async/aborts.ts";
import { after } from "./time/timer.ts";

/** Bytes of stderr that are kept. */
const WORDS_KEPT = 64 * 1024;
/** Milliseconds from the end of a process to the end of its pipes at most. */
const LAST_WORDS_MS = 1_000;

/** How a process ended. Exactly one of `code` and `signal` is set, unless it never started. */
export interface ChildEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** Why it could not be started. */
  readonly error?: Error;
}

/** What there is between this process and the child, by the kind of talk. */
interface Talks {
  /** Bytes on all three streams. */
  pipes: ChildProcessWithoutNullStreams;
  /** What it prints; it has no stdin. */
  output: ChildProcessByStdio<null, Readable, Readable>;
  /** Structured clones over Node's own channel, and no streams. */
  messages: ChildProcess;
}
export type Talk = keyof Talks;

const STDIO = {
  pipes: ["pipe", "pipe", "pipe"],
  output: ["ignore", "pipe", "pipe"],
  messages: ["ignore", "ignore", "ignore", "ipc"],
} as const;

export interface ChildOptions {
  /** The whole environment. @default process.env */
  readonly env?: NodeJS.ProcessEnv;
  /** Kills it when it fires. */
  readonly signal?: AbortSignal;
  /** Whether what it leaves running stays where it ended by itself, as a daemon does. @default false */
  readonly leavesDaemons?: boolean;
  /** Whether it ends by itself, with all that it started, at the end of its stdin: it stays in our process group, and is not killed with us. @default false */
  readonly endsItself?: boolean;
  /** Whether the words go to Windows as they are. @default false */
  readonly verbatim?: boolean;
  /** On Windows, whether it shares our console, and hears its Ctrl-C. @default false */
  readonly hearsConsole?: boolean;
}

export class Child<T extends Talk = Talk> {
  readonly pid: number | undefined;
  readonly stdin: Talks[T]["stdin"];
  readonly stdout: Talks[T]["stdout"];
  readonly stderr: Talks[T]["stderr"];
  /** What it said last on stderr. */
  readonly words: Tail = new Tail(WORDS_KEPT);
  /** Settles when the process is gone and reaped, or could not be started; never rejects. */
  readonly exited: Promise<ChildEnd>;
  /** Settles when its pipes are at their end too. Whoever left its group and holds them is not waited for. */
  readonly closed: Promise<ChildEnd>;
  readonly #child: Talks[T];
  readonly #hasGroup: boolean;
  #isHeld = true;
  #isGone = false;
  #isAsked = false;

  /** @throws Error where the start cannot even be tried; most reasons, as a missing file, are told by `exited`. */
  static start<S extends Talk>(
    talk: S,
    file: string,
    args: readonly string[],
    options: ChildOptions = {},
  ): Child<S> {
    const started = spawn(file, args, {
      ...startOptions(options),
      stdio: [...STDIO[talk]],
      serialization: "advanced",
      ...(options.env && { env: options.env }),
    });
    return new Child(talk, started, options);
  }

  /** @param started with {@link startOptions} and the streams of this talk. */
  constructor(talk: T, started: ChildProcess, options: ChildOptions = {}) {
    this.#hasGroup = hasGroup(options);
    const child = started as Talks[T];
    this.#child = child;
    this.pid = child.pid;
    [this.stdin, this.stdout, this.stderr] = [child.stdin, child.stdout, child.stderr];
    // Of a process that never was; what is said of one that runs (it cannot be signalled) is not its end.
    const failed = new Promise<ChildEnd>((resolve) =>
      child.on("error", (error) => this.pid === undefined && resolve({ code: null, signal: null, error })),
    );
    // Where no pipe could be made (no file descriptor is left) there are none, whatever the types say.
    if (talk !== "messages" && child.stdout === undefined) throw new Error("the system gave it no pipes");
    this.stdin?.on("error", () => undefined); // a process that died already shows in `exited`
    this.stderr?.on("data", (chunk: Buffer) => this.words.add(chunk));

    const exit = new Promise<ChildEnd>((resolve) =>
      child.once("exit", (code, signal) => {
        this.#isGone = true;
        if (this.#isAsked || !(options.leavesDaemons ?? options.endsItself)) this.#signal("SIGKILL");
        resolve({ code, signal });
      }),
    );
    const close = new Promise<void>((resolve) => child.once("close", () => resolve()));
    this.exited = Promise.race([failed, exit]);
    this.closed = this.exited.then(async (end) => {
      if (end.error === undefined) await Promise.race([close, this.#silence(close)]);
      return end;
    });
    if (options.endsItself !== true) this.#endWithNode();
    this.#endWith(options.signal);
  }

  /** Whether Node stays alive for this process. At first it does. */
  hold(hold: boolean): void {
    if (hold === this.#isHeld) return;
    this.#isHeld = hold;
    const child: ChildProcess = this.#child;
    child[hold ? "ref" : "unref"]();
    child.channel?.[hold ? "ref" : "unref"]();
    const pipes = [child.stdin, child.stdout, child.stderr] as (Socket | null)[];
    // A pipe that has ended has no handle, and would only collect listeners.
    for (const pipe of pipes) if (pipe?.destroyed === false) pipe[hold ? "ref" : "unref"]();
  }

  /** @throws Error for a message that there is no memory to copy. A process that has ended hears nothing. */
  send(message: object): void {
    if (this.#child.connected) this.#child.send(message, () => undefined);
  }

  onMessage(heard: (message: unknown) => void): void {
    this.#child.on("message", heard);
  }

  /**
   * Asks it to end, by a signal to its whole group or in its own way, and kills the group where that does not help.
   *
   * @param ask on Windows, which has no signals, one of them kills at once.
   * @returns how it ended, when its pipes are at their end.
   */
  async end(ask: NodeJS.Signals | (() => void), graceMs: number): Promise<ChildEnd> {
    this.hold(true);
    this.#isAsked = true;
    if (typeof ask === "string") this.#signal(ask);
    else ask();
    const timer = setTimeout(() => this.kill(), graceMs);
    await this.exited;
    clearTimeout(timer);
    return this.closed;
  }

  /** Kills it, with all its descendants, at once. */
  kill(): void {
    this.#isAsked = true;
    this.#signal("SIGKILL");
  }

  #signal(signal: NodeJS.Signals): void {
    if (this.pid === undefined) return;
    try {
      if (this.#hasGroup) process.kill(-this.pid, signal);
      else if (!this.#isGone && process.platform === "win32") killTree(this.pid, this.#child);
      else if (!this.#isGone) this.#child.kill(signal);
    } catch {
      // ESRCH: nobody is left to be signalled
    }
  }

  /** A process that ends at once, as at a second Ctrl-C, leaves nobody behind who goes on working. */
  #endWithNode(): void {
    if (this.pid === undefined) return;
    if (ending.size === 0) process.on("exit", endAll);
    const end = (): void => {
      if (process.platform !== "win32") return this.kill();
      // Windows ends a child with its parent, `taskkill` too, unless it is waited for.
      const { status } = spawnSync("taskkill", tree(this.pid), { stdio: "ignore", windowsHide: true });
      if (status !== 0) this.#child.kill("SIGKILL");
    };
    ending.add(end);
    void this.exited.then(() => {
      ending.delete(end);
      if (ending.size === 0) process.off("exit", endAll);
    });
  }

  #endWith(signal: AbortSignal | undefined): void {
    if (signal === undefined) return;
    const abort = (): void => this.kill();
    if (signal.aborted) return abort();
    const forget = onAborted(signal, abort);
    void this.exited.then(forget);
  }

  /** Settles some time after the end; a daemon left behind may hold the pipes for ever, and does not get to hold us. */
  #silence(close: Promise<void>): Promise<void> {
    return new Promise((resolve) => {
      const timer = after(LAST_WORDS_MS, () => {
        this.stdout?.destroy();
        this.stderr?.destroy();
        resolve();
      });
      void close.then(() => timer.cancel());
    });
  }
}

/** How a child is to be started so that its owner can end it with its descendants; also by a library. */
export function startOptions(
  options: ChildOptions,
): Record<"detached" | "windowsHide" | "windowsVerbatimArguments", boolean> {
  return {
    detached: hasGroup(options),
    windowsHide: options.hearsConsole !== true, // a hidden window is a console of its own
    windowsVerbatimArguments: options.verbatim ?? false,
  };
}

function hasGroup({ endsItself }: ChildOptions): boolean {
  return process.platform !== "win32" && endsItself !== true;
}

/** The end of a pipe's bytes, however many came. */
export class Tail {
  readonly #limit: number;
  #kept: Buffer = Buffer.alloc(0);

  constructor(limit: number) {
    this.#limit = limit;
  }

  add(chunk: Uint8Array): void {
    this.#kept = Buffer.concat([this.#kept, chunk]).subarray(-this.#limit);
  }

  get bytes(): Uint8Array {
    return this.#kept;
  }

  /** What is not UTF-8, and a character that the limit cut, is U+FFFD. */
  get text(): string {
    return this.#kept.toString("utf8");
  }
}

const ending = new Set<() => void>();

function endAll(): void {
  for (const end of ending) end();
}

function tree(pid: number | undefined): string[] {
  return ["/pid", String(pid), "/t", "/f"];
}

function killTree(pid: number, child: ChildProcess): void {
  const alone = (): boolean => child.kill("SIGKILL");
  spawn("taskkill", tree(pid), { stdio: "ignore", windowsHide: true })
    .once("error", alone)
    .once("exit", (code) => code !== 0 && alone());
}
