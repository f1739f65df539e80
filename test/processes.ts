/** Processes that tests start, and those that they look for in `/proc`. */
import { spawn } from "node:child_process";
import type { ChildProcess, SpawnOptions } from "node:child_process";
import { once } from "node:events";
import { readFileSync, readdirSync } from "node:fs";
import { onTestFinished } from "vitest";

/** What a child ended with and what it printed, where that was a pipe. */
export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Resolves when a child that was just started has ended and all that it printed has come. */
export async function ended(child: ChildProcess): Promise<Ended> {
  const said = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const)
    child[name]?.setEncoding("utf8").on("data", (text: string) => (said[name] += text));
  const [code, signal] = (await once(child, "close")) as [number | null, NodeJS.Signals | null];
  return { code, signal, ...said };
}

/** Runs a program to its end, with nothing on its stdin. */
export function ran(file: string, args: readonly string[], options: SpawnOptions = {}): Promise<Ended> {
  return ended(spawn(file, args, { stdio: ["ignore", "pipe", "pipe"], ...options }));
}

/** Ends a child and waits for it; one that has ended already, by itself or by a signal, is not waited for. */
export async function end(child: ChildProcess, signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
  // A child that a signal ended has no exit code.
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, "exit");
  child.kill(signal);
  await gone;
}

/** A child that does not outlive its test, whatever becomes of that. */
export function ofTest<T extends ChildProcess>(child: T): T {
  onTestFinished(() => end(child));
  return child;
}

interface Stat {
  readonly state: string;
  readonly group: number;
}

/** `/proc/PID/stat`, behind the name in brackets; undefined where the process is gone. */
function statOf(pid: number): Stat | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    const [state = "", , group = ""] = text.slice(text.lastIndexOf(")") + 2).split(" ");
    return { state, group: Number(group) };
  } catch {
    return undefined;
  }
}

/** Whether a process runs; one that has ended and was not yet collected by its parent does not. */
export function isRunning(pid: number): boolean {
  const stat = statOf(pid);
  return stat !== undefined && stat.state !== "Z";
}

/** The processes that run in a process group. */
export function membersOf(group: number): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => statOf(pid)?.group === group && isRunning(pid));
}

/** The processes whose environment holds a text, such as a temporary directory of one test. */
export function processesWith(text: string): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/environ`, "utf8").includes(text);
      } catch {
        return false; // it ended meanwhile
      }
    });
}
