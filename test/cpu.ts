import { readFileSync } from "node:fs";

/** A clock of what this process computes: a machine that is busy with others does not turn it. */
export interface CpuClock {
  /** Milliseconds since it was started. */
  readonly ms: number;
}

/** Milliseconds that the processes that this one has started, and that have ended, have computed. */
export function childrenMs(): number {
  const stat = readFileSync("/proc/self/stat", "latin1");
  const [user = 0, system = 0] = stat
    .slice(stat.lastIndexOf(")") + 2)
    .split(" ")
    .slice(13, 15)
    .map(Number);
  return (user + system) * 10;
}

export function cpuClock(): CpuClock {
  const start = process.cpuUsage();
  return {
    get ms() {
      const { user, system } = process.cpuUsage(start);
      return (user + system) / 1_000;
    },
  };
}
