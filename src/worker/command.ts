/** Runs a command and tells how it ended. The only file that imports execa, and not before a command is run. */
import { spawn, type ChildProcess } from "node:child_process";
import type { Readable } from "node:stream";
import { messageOf } from "../errors.ts";

/** How a command is run. */
export interface CommandOptions {
  /** The whole environment of the process. @default process.env */
  readonly env?: NodeJS.ProcessEnv;
  /** Milliseconds until its process group is killed. @default no limit */
  readonly timeoutMs?: number;
  /** Called with each complete line, without its line end, as it is printed. */
  readonly onLine?: (line: string, stream: "stdout" | "stderr") => void;
  /** Ends the process group when it fires. */
  readonly signal?: AbortSignal;
  /** What the group is asked to end with. @default "SIGTERM" */
  readonly politeSignal?: NodeJS.Signals;
  /** Milliseconds from asking to SIGKILL. @default 2_000 */
  readonly politeMs?: number;
  /**
   * On Windows, whether a Ctrl-C typed into the console of this process reaches the command too, so that nothing else
   * asks it to end. Signals do not exist there, and a command that shares no console can only be killed. @default false
   */
  readonly hearsConsole?: boolean;
}

/** How a command ended. `stdout` and `stderr` hold the last 256 KiB of each. */
export interface CommandResult {
  readonly outcome: "exited" | "not-started" | "timed-out" | "aborted";
  /** The exit status; `null` when a signal ended it or it never started. */
  readonly code: number | null;
  readonly stdout: string;
  /** For `not-started` the reason that the system gave. */
  readonly stderr: string;
}

const KEPT = 256 * 1024;
const LONGEST_LINE = 64 * 1024;
const POLITE_MS = 2_000;
const PIPES_MS = 1_000;

/**
 * Runs a short-lived command with no stdin, in a process group of its own, and waits until it has ended.
 * Never rejects: a non-zero exit, a missing file, the timeout and the abort are all told by the result.
 */
export async function runCommand(
  file: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> {
  const { env, timeoutMs, onLine, signal, politeSignal = "SIGTERM", politeMs = POLITE_MS } = options;
  const hearsConsole = options.hearsConsole === true && process.platform === "win32";
  // It takes as long to load as Python to start; a classifier whose Python is known runs no command.
  const { execa } = await import("execa");
  if (signal?.aborted) return { outcome: "aborted", code: null, stdout: "", stderr: "" };
  const [program, words, verbatim] = spawned(file, args);
  const child = execa(program, words, {
    ...(env && { env, extendEnv: false }),
    windowsVerbatimArguments: verbatim,
    stdio: ["ignore", "pipe", "pipe"],
    detached: process.platform !== "win32",
    windowsHide: !hearsConsole, // a hidden window is a console of its own
    buffer: false,
    reject: false,
    cleanup: false, // the whole group is ended, not only the child
  });
  if (child.pid === undefined) {
    const { cause, originalMessage } = await child;
    return { outcome: "not-started", code: null, stdout: "", stderr: originalMessage ?? messageOf(cause) };
  }
  const stdout = collect(child.stdout, (line) => onLine?.(line, "stdout"));
  const stderr = collect(child.stderr, (line) => onLine?.(line, "stderr"));

  return new Promise<CommandResult>((resolve) => {
    let outcome: CommandResult["outcome"] = "exited";
    const timers: NodeJS.Timeout[] = [];
    const end = (why: "timed-out" | "aborted"): void => {
      if (outcome !== "exited") return;
      outcome = why;
      // A timeout is nobody's Ctrl-C.
      if (!hearsConsole || why === "timed-out") killGroup(child, politeSignal);
      timers.push(setTimeout(() => killGroup(child, "SIGKILL"), politeMs));
    };
    // A process that ends at once, as at a second Ctrl-C, leaves nobody behind who goes on working.
    const abandon = (): void => killGroup(child, "SIGKILL");
    process.once("exit", abandon);
    const abort = (): void => end("aborted");
    const finish = (result: CommandResult): void => {
      for (const timer of timers) clearTimeout(timer);
      signal?.removeEventListener("abort", abort);
      process.off("exit", abandon);
      resolve(result);
    };
    signal?.addEventListener("abort", abort, { once: true });
    if (timeoutMs !== undefined) timers.push(setTimeout(() => end("timed-out"), timeoutMs));

    child.once("exit", () => {
      if (outcome !== "exited") killGroup(child, "SIGKILL");
      // A daemon left behind may hold the pipes for ever; it does not get to hold the caller.
      timers.push(
        setTimeout(() => [child.stdout, child.stderr].forEach((pipe) => pipe?.destroy()), PIPES_MS),
      );
    });
    child.once("close", (code) => finish({ outcome, code, stdout: stdout(), stderr: stderr() }));
  });
}

/**
 * What is really spawned for a command: a `.bat` or `.cmd`, which Windows runs only by way of `cmd.exe`, is given to
 * it with every word quoted. `verbatim` tells that the words are as they go to the system.
 */
export function spawned(
  file: string,
  args: readonly string[],
  { platform, environ }: { platform: NodeJS.Platform; environ: NodeJS.ProcessEnv } = {
    platform: process.platform,
    environ: process.env,
  },
): [file: string, args: string[], verbatim: boolean] {
  const isBatch = platform === "win32" && /\.(?:bat|cmd)$/i.test(file);
  if (!isBatch) return [file, [...args], false];
  const words = [file, ...args].map((word) => `"${word.replaceAll('"', '""')}"`);
  return [environ["ComSpec"] ?? "cmd.exe", ["/d", "/s", "/c", `"${words.join(" ")}"`], true];
}

/** A word as the platform's shell reads it back; plain words stay as they are. */
export function quoted(word: string, platform: NodeJS.Platform = process.platform): string {
  if (platform === "win32") return /^[\w@%+=:,./\\*-]+$/.test(word) ? word : `"${word}"`;
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

/** Signals every process of the child's group, or the child alone where there are no groups. */
function killGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    if (process.platform === "win32") {
      spawn("taskkill", ["/pid", String(child.pid), "/t", "/f"], { stdio: "ignore" }).once("error", () => {});
    } else {
      process.kill(-child.pid, signal);
    }
  } catch {
    // The group is gone already.
  }
}

/** Reads a pipe to its end, keeping its tail and passing its lines on; returns the reader of the tail. */
function collect(pipe: Readable | null, onLine: (line: string) => void): () => string {
  let kept = "";
  let open = "";
  pipe?.setEncoding("utf8");
  pipe?.on("data", (text: string) => {
    kept = (kept + text).slice(-KEPT);
    // A carriage return alone is how apt and pip redraw their progress.
    const lines = (open + text).split(/\r\n|\n|\r/);
    open = (lines.pop() ?? "").slice(-LONGEST_LINE);
    for (const line of lines) onLine(line);
  });
  pipe?.on("end", () => {
    if (open !== "") onLine(open);
  });
  pipe?.on("error", () => {});
  return () => kept;
}
