// What the operating system says about processes, files and directories (Linux: /proc).
import { readFileSync, readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { setTimeout as delay } from "node:timers/promises";

/** Whether this system can tell what the ledger asks for. */
export const CAN_TELL = process.platform === "linux";

/** Parent and state of a process; undefined once it is gone. */
export function statOf(pid) {
  try {
    const [state, parent] = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1).split(" ");
    return { state, parent: Number(parent) };
  } catch {
    return undefined;
  }
}

function pids() {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
}

/** Children of this process, zombies included; those in `except` are not counted. */
export function children(except = []) {
  return pids().filter((pid) => !except.includes(pid) && statOf(pid)?.parent === process.pid);
}

/** Living processes whose environment has this variable with this value. */
export function marked(name, value) {
  return pids().filter((pid) => {
    try {
      const isAlive = !"ZX".includes(statOf(pid)?.state ?? "X");
      return (
        isAlive && readFileSync(`/proc/${pid}/environ`, "latin1").split("\0").includes(`${name}=${value}`)
      );
    } catch {
      return false;
    }
  });
}

/** Socket directories in the temporary directory that belong to this process id. */
export function socketDirectories(pid = process.pid) {
  return readdirSync(tmpdir()).filter((name) => name.startsWith(`isotorch-${pid}-`));
}

export function openFiles() {
  return readdirSync("/proc/self/fd").length;
}

/** Sends a signal; a process that is gone already is no matter. */
export function signal(pid, name) {
  try {
    process.kill(pid, name);
    return true;
  } catch {
    return false;
  }
}

/** Waits until `condition` holds, at most `ms`; how long it took, or undefined when it did not come. */
export async function until(condition, ms) {
  const started = performance.now();
  while (!condition()) {
    if (performance.now() - started > ms) return undefined;
    await delay(5);
  }
  return performance.now() - started;
}
