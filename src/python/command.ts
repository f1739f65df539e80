/** Runs a command and tells how it ended. The only file that imports execa, and not before a command is run. */
import type { Readable } from "node:stream";
import { onAborted } from "../base/async/aborts.ts";
import { Child, startOptions, Tail } from "../base/child.ts";
import { messageOf } from "../base/errors.ts";
import { after } from "../base/time/timer.ts";

/** How a command is run. */
export interface CommandOptions {
  /** The whole environment of the process. @default process.env */
  readonly env?: NodeJS.ProcessEnv;
  /** Milliseconds until its process group is killed. @default no limit */
  readonly timeoutMs?: number;
  /** Called with each complete line, without its line end, as it is printed. */
  readonly onLine?: (line: string, stream: "stdout" | "stderr") => void;
  /** Whether the words go to Windows as they are, for programs that read them in their own way. @default false */
  readonly verbatim?: boolean;
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
  /** For `not-started` the reason that the system gave, or why the words cannot be handed over. */
  readonly stderr: string;
  /** `stdout` as it came. The text shows what is not UTF-8 as U+FFFD: whoever reads data reads these. */
  readonly bytes: Uint8Array;
}

const KEPT = 256 * 1024;
const LONGEST_LINE = 64 * 1024;
const POLITE_MS = 2_000;
const NOTHING = { code: null, stdout: "", stderr: "", bytes: new Uint8Array() } as const;

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
  const isVerbatim = options.verbatim ?? false;
  const hearsConsole = options.hearsConsole === true && process.platform === "win32";
  // It finds the programs of Windows by their extensions, and takes as long to load as Python to start: a classifier whose
  // Python is known runs no command. How a command ends is for its owner.
  const { execa } = await import("execa");
  if (signal?.aborted) return { ...NOTHING, outcome: "aborted" };
  const reason = refusedWord(file, args);
  if (reason !== undefined) return { ...NOTHING, outcome: "not-started", stderr: reason };
  const [program, words, verbatim] = spawned(file, args);
  const how = { ...(env && { env }), leavesDaemons: true, verbatim: verbatim || isVerbatim, hearsConsole };
  const started = execa(program, words, {
    ...startOptions(how),
    ...(env && { env, extendEnv: false }),
    stdio: ["ignore", "pipe", "pipe"],
    buffer: false,
    reject: false,
    cleanup: false,
  });
  if (started.pid === undefined) {
    const { cause, originalMessage } = await started;
    return { ...NOTHING, outcome: "not-started", stderr: originalMessage ?? messageOf(cause) };
  }
  const child = new Child("output", started, how);
  const stdout = collect(child.stdout, (line) => onLine?.(line, "stdout"));
  const stderr = collect(child.stderr, (line) => onLine?.(line, "stderr"));

  let outcome: CommandResult["outcome"] = "exited";
  const end = (why: "timed-out" | "aborted"): void => {
    if (outcome !== "exited") return;
    outcome = why;
    // A timeout is nobody's Ctrl-C.
    const isTold = hearsConsole && why === "aborted";
    void child.end(isTold ? () => undefined : politeSignal, politeMs);
  };
  const abort = (): void => end("aborted");
  const forget = signal && onAborted(signal, abort);
  const timer = after(timeoutMs ?? Infinity, () => end("timed-out"));
  const { code } = await child.closed;
  timer.cancel();
  forget?.();
  return { outcome, code, stdout: stdout.text, stderr: stderr.text, bytes: stdout.bytes };
}

/**
 * What is really spawned for a command: a `.bat` or `.cmd`, which Windows runs only by way of `cmd.exe`, is given to
 * it with every word quoted. `verbatim` tells that the words are as they go to the system. A word that is refused by
 * {@link refusedWord} would not arrive as it is.
 */
export function spawned(
  file: string,
  args: readonly string[],
  { platform, environ }: { platform: NodeJS.Platform; environ: NodeJS.ProcessEnv } = {
    platform: process.platform,
    environ: process.env,
  },
): [file: string, args: string[], verbatim: boolean] {
  if (!isBatch(file, platform)) return [file, [...args], false];
  const words = [file, ...args].map(batchWord);
  // `!` is a character like any other, whatever the registry says of delayed expansion.
  return [environ["ComSpec"] ?? "cmd.exe", ["/d", "/v:off", "/s", "/c", `"${words.join(" ")}"`], true];
}

/**
 * Why a batch file cannot be run with these words, a sentence; `undefined` where all arrive as they are. Of what stands
 * between quotes `cmd.exe` expands `%` alone: doubling it helps only inside the file, a caret only outside quotes, and a
 * `call` in the file expands what was passed on once more.
 */
export function refusedWord(
  file: string,
  args: readonly string[],
  platform: NodeJS.Platform = process.platform,
): string | undefined {
  if (!isBatch(file, platform)) return undefined;
  const word = [file, ...args].find((one) => /[%\r\n]/.test(one));
  if (word === undefined) return undefined;
  return `${file} is a batch file, which cannot be given ${JSON.stringify(word)}: cmd.exe expands % and ends at a line end`;
}

function isBatch(file: string, platform: NodeJS.Platform): boolean {
  return platform === "win32" && /\.(?:bat|cmd)$/i.test(file);
}

/**
 * A word between quotes, as a program that the batch file hands it on to reads it back: a quote is doubled, and so are
 * the backslashes before a quote.
 */
function batchWord(word: string): string {
  const whole = word.replaceAll(/\\+|"/g, (found, at: number) => {
    if (found === '"') return '""';
    const next = word[at + found.length];
    return next === undefined || next === '"' ? found + found : found;
  });
  return `"${whole}"`;
}

/** A word as the platform's shell reads it back; plain words stay as they are. */
export function quoted(word: string, platform: NodeJS.Platform = process.platform): string {
  if (platform === "win32") return /^[\w@%+=:,./\\*-]+$/.test(word) ? word : `"${word}"`;
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

/** Reads a pipe to its end, passing its lines on; returns its tail. */
function collect(pipe: Readable, onLine: (line: string) => void): Tail {
  const tail = new Tail(KEPT);
  let open = "";
  const decoder = new TextDecoder();
  pipe.on("data", (chunk: Buffer) => {
    tail.add(chunk);
    // A carriage return alone is how apt and pip redraw their progress.
    const lines = (open + decoder.decode(chunk, { stream: true })).split(/\r\n|\n|\r/);
    open = (lines.pop() ?? "").slice(-LONGEST_LINE);
    for (const line of lines) onLine(line);
  });
  pipe.on("end", () => {
    open += decoder.decode();
    if (open !== "") onLine(open);
  });
  pipe.on("error", () => {});
  return tail;
}
