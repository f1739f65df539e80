import { readFile } from "node:fs/promises";
import { arch } from "node:os";
import type { Surroundings } from "../python/surroundings.ts";

/** What decides about a plan, besides the surroundings. */
export interface Machine {
  readonly at: Surroundings;
  readonly isRoot: boolean;
  /** Text of /etc/os-release, empty where there is none. */
  readonly osRelease: string;
  /** Interpreters of the distribution are here. @default "/usr/bin/python3" */
  readonly distributionPython: string;
  readonly arch: string;
}

/** This machine. */
export async function thisMachine(at: Surroundings): Promise<Machine> {
  return {
    at,
    isRoot: process.getuid?.() === 0,
    osRelease: await readFile("/etc/os-release", "utf8").catch(() => ""),
    distributionPython: "/usr/bin/python3",
    arch: arch(),
  };
}
