/** One operating system process of a worker: start it, watch it, end it with all its descendants. */
import { spawn } from "node:child_process";
import type { ChildProcessWithoutNullStreams } from "node:child_process";
import type { Socket } from "node:net";
import { after } from "../base/time/timer.ts";
import { IsotorchError, messageOf } from "../base/errors.ts";

const STDERR_TAIL_BYTES = 64 * 1024;
const POLITE_EXIT_MS = 2_000;
/** Milliseconds from the end of a process to the end of its pipes at most. */
const LAST_WORDS_MS = 1_000;

/** How a process ended. Exactly one of `code` and `signal` is set, unless it never started (`cause`). */
export interface WorkerExit {
  readonly code: number | null;
  readonly signal: string | null;
  readonly stderr: string;
  readonly cause?: unknown;
}

export interface WorkerCommand {
  /** The interpreter of the environment itself, never a wrapper: wrappers forward no signals. */
  readonly python: string;
  /** Arguments of the interpreter; tests put a stub in the place of the worker. */
  readonly args: readonly string[];
  /** Environment variables to set, over those of this process. */
  readonly variables: Readonly<Record<string, string>>;
  /** Written to stdin as one line as soon as it is known; stdin stays open as the parent watch. */
  readonly startLine: string | Promise<string>;
}

export class WorkerProcess {
  readonly pid: number | undefined;
  /** Settles when the process is gone and reaped; never rejects. */
  readonly exited: Promise<WorkerExit>;
  readonly #child: ChildProcessWithoutNullStreams;
  #tail = "";
  #gone = false;
  #held = true;

  constructor(command: WorkerCommand) {
    this.#child = start(command);
    this.pid = this.#child.pid;
    this.#child.stdout.on("data", this.#keep);
    this.#child.stderr.on("data", this.#keep);
    this.#child.stdin.on("error", () => undefined); // a worker that died already shows in `exited`
    void this.#begin(command.startLine);
    this.exited = new Promise((resolve) => {
      const settle = (code: number | null, signal: string | null, cause?: unknown): void => {
        if (this.#gone) return;
        this.#gone = true;
        this.#signalGroup("SIGKILL"); // grandchildren that outlived it
        const tell = (): void => resolve({ code, signal, stderr: this.#tail, cause });
        if (this.pid === undefined) return tell();
        // What it said last may still be in the pipe; whoever left its group and holds the pipe is not waited for.
        const timer = after(LAST_WORDS_MS, tell);
        this.#child.once("close", () => {
          timer.cancel();
          tell();
        });
      };
      this.#child.once("exit", settle);
      // Of a process that never was; what is said of one that runs (it cannot be signalled) is not its end.
      this.#child.on("error", (error) => this.pid === undefined && settle(null, null, error));
    });
  }

  /** Whether Node stays alive for this process. */
  holdOpen(hold: boolean): void {
    if (hold === this.#held) return;
    this.#held = hold;
    const pipes = [this.#child.stdin, this.#child.stdout, this.#child.stderr] as unknown as Socket[];
    this.#child[hold ? "ref" : "unref"]();
    // A pipe that has ended has no handle, and would only collect listeners.
    for (const pipe of pipes) if (!pipe.destroyed) pipe[hold ? "ref" : "unref"]();
  }

  /** SIGTERM, and SIGKILL of the whole group where that does not help within two seconds. */
  async terminate(): Promise<WorkerExit> {
    this.holdOpen(true);
    this.#signalGroup("SIGTERM");
    const timer = setTimeout(() => this.kill(), POLITE_EXIT_MS);
    const exit = await this.exited;
    clearTimeout(timer);
    return exit;
  }

  /** SIGKILL of the process group, at once. */
  kill(): void {
    this.#signalGroup("SIGKILL");
  }

  async #begin(startLine: string | Promise<string>): Promise<void> {
    // Whoever promised the line deals with its failure, and ends this process.
    const line = await Promise.resolve(startLine).catch(() => undefined);
    if (line !== undefined) this.#child.stdin.write(`${line}\n`);
  }

  readonly #keep = (chunk: string): void => {
    this.#tail = (this.#tail + chunk).slice(-STDERR_TAIL_BYTES);
  };

  #signalGroup(signal: NodeJS.Signals): void {
    if (this.pid === undefined) return;
    try {
      if (process.platform === "win32") this.#child.kill(signal);
      else process.kill(-this.pid, signal);
    } catch {
      // ESRCH: nobody is left to be signalled
    }
  }
}

function start(command: WorkerCommand): ChildProcessWithoutNullStreams {
  try {
    const child = spawn(command.python, command.args, {
      stdio: "pipe",
      detached: process.platform !== "win32",
      windowsHide: true,
      env: { ...process.env, ...command.variables },
    });
    // Where no pipe could be made (no file descriptor is left) there are none, whatever the types say.
    if (child.stdin === undefined) {
      child.once("error", () => undefined);
      throw new Error("the system gave it no pipes");
    }
    child.stdout.setEncoding("utf8");
    child.stderr.setEncoding("utf8");
    return child;
  } catch (cause) {
    throw new IsotorchError("WORKER_START_FAILED", `The worker could not be started: ${messageOf(cause)}.`, {
      cause,
      hint: "Run `npx isotorch doctor` to see which Python was chosen and why.",
    });
  }
}
