/** One operating system process of a worker, by the worker's own rules. */
import { Child } from "../base/child.ts";
import { IsotorchError, messageOf } from "../base/errors.ts";

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
  /** Written to stdin as one line as soon as it is known; stdin stays open as the parent watch. */
  readonly startLine: string | Promise<string>;
}

export class WorkerProcess {
  /** Settles when the process is gone and reaped; never rejects. */
  readonly exited: Promise<WorkerExit>;
  readonly #child: Child<"pipes">;

  constructor(command: WorkerCommand) {
    this.#child = start(command);
    // Whatever it prints is a part of its last words: answers go over their own sockets.
    this.#child.stdout.on("data", (chunk: Buffer) => this.#child.words.add(chunk));
    void this.#begin(command.startLine);
    this.exited = this.#exit();
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Whether Node stays alive for this process. */
  holdOpen(hold: boolean): void {
    this.#child.hold(hold);
  }

  /** SIGTERM, and SIGKILL of the whole group where that does not help within two seconds. */
  async terminate(): Promise<WorkerExit> {
    await this.#child.end("SIGTERM", POLITE_EXIT_MS);
    return this.exited;
  }

  /** SIGKILL of the process group, at once. */
  kill(): void {
    this.#child.kill();
  }

  async #begin(startLine: string | Promise<string>): Promise<void> {
    // Whoever promised the line deals with its failure, and ends this process.
    const line = await Promise.resolve(startLine).catch(() => undefined);
    if (line !== undefined) this.#child.stdin.write(`${line}\n`);
  }

  async #exit(): Promise<WorkerExit> {
    const { error, ...end } = await this.#child.closed;
    return { ...end, stderr: this.#child.words.text, cause: error };
  }
}

function start({ python, args, variables }: WorkerCommand): Child<"pipes"> {
  try {
    return Child.start("pipes", python, args, { env: { ...process.env, ...variables } });
  } catch (cause) {
    throw new IsotorchError("WORKER_START_FAILED", `The worker could not be started: ${messageOf(cause)}.`, {
      cause,
      hint: "Run `npx isotorch doctor` to see which Python was chosen and why.",
    });
  }
}
