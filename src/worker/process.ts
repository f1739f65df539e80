/**
 * One operating system process of a worker: start it, watch it, end it with all its descendants.
 * The only file that imports execa.
 */
import { readFileSync } from "node:fs";
import type { Socket } from "node:net";
import { execa } from "execa";
import { IsotorchError, messageOf } from "../errors.ts";

const STDERR_TAIL_BYTES = 64 * 1024;
const POLITE_EXIT_MS = 2_000;

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
  /** Written to stdin as one line; stdin stays open as the parent watch. */
  readonly startLine: string;
}

export class WorkerProcess {
  readonly pid: number | undefined;
  /** Settles when the process is gone and reaped; never rejects. */
  readonly exited: Promise<WorkerExit>;
  readonly #child: ReturnType<typeof start>;
  #tail = "";
  #gone = false;
  #held = true;

  constructor(command: WorkerCommand) {
    this.#child = start(command);
    this.pid = this.#child.pid;
    this.#child.stdout.on("data", this.#keep);
    this.#child.stderr.on("data", this.#keep);
    this.#child.stdin.on("error", () => undefined); // a worker that died already shows in `exited`
    this.#child.stdin.write(`${command.startLine}\n`);
    this.exited = new Promise((resolve) => {
      const settle = (code: number | null, signal: string | null, cause?: unknown): void => {
        if (this.#gone) return;
        this.#gone = true;
        this.#signalGroup("SIGKILL"); // grandchildren that outlived it
        // Data events of what is already in the pipe come before the next turn.
        setImmediate(() => resolve({ code, signal, stderr: this.#tail, cause }));
      };
      this.#child.once("exit", settle);
      this.#child.catch((error: unknown) => settle(null, null, error));
      void this.#child.then((result) => {
        if (result.failed && result.exitCode === undefined && result.signal === undefined)
          settle(null, null, result);
      });
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

function start(command: WorkerCommand) {
  try {
    const child = execa(command.python, [...command.args], {
      stdin: "pipe",
      stdout: "pipe",
      stderr: "pipe",
      buffer: false,
      reject: false,
      cleanup: false, // the session ends the whole group, not only the child
      detached: process.platform !== "win32",
      windowsHide: true,
      env: command.variables,
    });
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

/** Resident memory of a process, bytes; 0 where it cannot be told (only Linux tells it here). */
export function residentBytes(pid: number | undefined): number {
  try {
    const pages = Number(readFileSync(`/proc/${pid}/statm`, "utf8").split(" ")[1]);
    return pages * 4096;
  } catch {
    return 0;
  }
}
