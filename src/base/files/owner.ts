/** Which process it is that owns a file, and whether it still runs. Twin of python/isotorch_worker/base/owner.py. */
import { readFile, readlink } from "node:fs/promises";
import { hostname } from "node:os";
import { hasCode } from "./files.ts";

/** A process, told from every other one as far as its system says so. */
export interface Owner {
  readonly pid: number;
  readonly host: string;
  /** Linux's id of the time since the machine was started; `null` elsewhere. */
  readonly boot: string | null;
  /** Linux's name for the set of processes in which the pid counts: a container has its own; `null` elsewhere. */
  readonly space: string | null;
  /** Clock ticks from the machine's start to the process's, by which one that has its number later is told from it. */
  readonly started: string | null;
}

/** This process. */
export async function thisProcess(): Promise<Owner> {
  const { pid } = process;
  const [boot, space, self] = await Promise.all([
    readFile("/proc/sys/kernel/random/boot_id", "utf8").catch(() => undefined),
    readlink("/proc/self/ns/pid").catch(() => undefined),
    readlink("/proc/self").catch(() => undefined),
  ]);
  // Where /proc is that of other processes, it says nothing of this one.
  const seen = self === String(pid) ? await stateOf(pid) : undefined;
  const host = hostname();
  return { pid, host, boot: boot?.trim() ?? null, space: space ?? null, started: seen?.started ?? null };
}

/** Whether it runs, be it stopped; `undefined` where nobody here can know. */
export async function isRunning(owner: Owner): Promise<boolean | undefined> {
  const here = await thisProcess();
  const isComparable = owner.host === here.host && owner.boot === here.boot && owner.space === here.space;
  if (!isComparable) return undefined;
  if (!isAlive(owner.pid)) return false;
  const seen = owner.started === null ? undefined : await stateOf(owner.pid);
  // Its number may have been given to another one since.
  if (seen === undefined) return undefined;
  return seen.started === owner.started && !seen.isOver;
}

interface State {
  readonly started: string;
  /** It has ended, and its parent has not asked how. */
  readonly isOver: boolean;
}

async function stateOf(pid: number): Promise<State | undefined> {
  const line = await readFile(`/proc/${pid}/stat`, "latin1").catch(() => "");
  // The second field is a name in brackets, in which there may be anything.
  const fields = line.slice(line.lastIndexOf(")") + 2).split(" ");
  const started = fields[19];
  return started === undefined ? undefined : { started, isOver: fields[0] === "Z" || fields[0] === "X" };
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return hasCode(error, "EPERM");
  }
}
