/** How much CPU time Linux's control groups leave this process: twin of `python/isotorch_worker/base/quota.py`. */
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";

/** CPUs that may be used: those of the machine that are open to this process, at most the quota, at least one. */
export function usableCpus(available: number = availableParallelism(), root = "/"): number {
  return Math.max(1, Math.min(available, Math.floor(cpuQuota(root) ?? available)));
}

/**
 * CPUs that this process may use at the same time on average; `undefined` without a limit, or outside Linux.
 * Version 2's `cpu.max` or version 1's `cpu.cfs_quota_us`: the least of the process's own group and of all above it
 * that can be read.
 */
export function cpuQuota(root = "/"): number | undefined {
  const limits = groupsOf(root).flatMap(({ mount, group, version }) =>
    upwards(group).flatMap((folder) => limitOf(join(root, mount, folder), version) ?? []),
  );
  return limits.length > 0 ? Math.min(...limits) : undefined;
}

type Version = 1 | 2;

/** A hierarchy that limits CPU time: where it is mounted, and the process's group below. */
interface Group {
  readonly mount: string;
  readonly group: string;
  readonly version: Version;
}

function groupsOf(root: string): Group[] {
  const own = new Map<Version, string>();
  for (const line of read(join(root, "proc/self/cgroup")).split("\n")) {
    const [, number, controllers = "", group = ""] = /^(\d+):([^:]*):(.*)$/.exec(line) ?? [];
    if (number === "0" && controllers === "") own.set(2, group);
    else if (controllers.split(",").includes("cpu")) own.set(1, group);
  }
  return read(join(root, "proc/self/mountinfo"))
    .split("\n")
    .flatMap((line) => {
      const [before = "", after = ""] = line.split(" - ");
      const [, , , above, mount] = before.split(" ").map(unescaped);
      const [kind, , options = ""] = after.split(" ");
      const version = kind === "cgroup2" ? 2 : 1;
      const isOurs = version === 2 || (kind === "cgroup" && options.split(",").includes("cpu"));
      const group = own.get(version);
      if (!isOurs || group === undefined || above === undefined || mount === undefined) return [];
      return [{ mount, group: below(group, above), version }];
    });
}

/** `group` as seen from a mount that shows what is below `above`: containers see a part only. */
function below(group: string, above: string): string {
  if (above === "/") return group;
  return group === above || group.startsWith(`${above}/`) ? group.slice(above.length) : "";
}

function upwards(group: string): string[] {
  const parts = group.split("/").filter((part) => part !== "");
  if (parts.includes("..")) return [];
  return Array.from({ length: parts.length + 1 }, (_, count) => parts.slice(0, count).join("/"));
}

function limitOf(folder: string, version: Version): number | undefined {
  const [quota = "", period = ""] =
    version === 2
      ? read(join(folder, "cpu.max")).trim().split(" ")
      : ["quota", "period"].map((name) => read(join(folder, `cpu.cfs_${name}_us`)).trim());
  const isLimit = [quota, period].every((text) => /^\d+$/.test(text) && Number(text) > 0);
  return isLimit ? Number(quota) / Number(period) : undefined;
}

function read(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}

function unescaped(field: string): string {
  return field.replaceAll(/\\([0-7]{3})/g, (_, code: string) => String.fromCodePoint(parseInt(code, 8)));
}
