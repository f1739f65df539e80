/** What `conda activate` would do to the environment of a process, as data. */
import { readJson } from "../../base/files/files.ts";
import { readdir } from "node:fs/promises";
import { askManager, type Told } from "./activators.ts";
import { isCondaPrefix } from "../conda/roots.ts";
import { isRecord } from "../../base/files/json.ts";
import { runScripts } from "./scripts.ts";
import type { Variables } from "./shell.ts";
import { type Surroundings, searchPath } from "../surroundings.ts";

/** The variables that an environment needs, and what decides them. */
export interface Activation {
  /** Everything but the search path. */
  readonly variables: Readonly<Record<string, string>>;
  /** Directories that go in front of the search path, first first; none for an environment that is not conda's. */
  readonly front: readonly string[];
  /** What went wrong, so that something may be missing here: sentences; `null` where nothing did. */
  readonly complaint: string | null;
  /** Whether it would be the same another time: nothing took too long. */
  readonly isSettled: boolean;
  /** Variables of the shell that it holds of: a mark of the value of each, by name; empty for one that is not set. */
  readonly looks: Variables;
  /** Absolute paths whose change tells that this is out of date. */
  readonly watch: readonly string[];
}

const UNSET = "***unset***";
/** For an environment that needs none. */
export const NO_ACTIVATION: Activation = {
  variables: {},
  front: [],
  complaint: null,
  isSettled: true,
  looks: {},
  watch: [],
};

/** The directories that activation puts in front of the PATH, first first. */
export function activationPaths(prefix: string, { platform, path }: Surroundings): string[] {
  if (platform !== "win32") return [path.join(prefix, "bin")];
  const inside = ["Library/mingw-w64/bin", "Library/usr/bin", "Library/bin", "Scripts", "bin"];
  return [prefix, ...inside.map((entry) => path.join(prefix, ...entry.split("/")))];
}

/**
 * What `conda activate` would set, as data. Where the manager tells it as JSON (`conda shell.posix+json activate`,
 * `pixi shell-hook --json`), what it tells; else the packages' variables (`etc/conda/env_vars.d`, by file name) and
 * over them the user's (`conda-meta/state`), with `CONDA_PREFIX` and `CONDA_DEFAULT_ENV`. On top of either what the
 * scripts of `etc/conda/activate.d` set. All of it as from a shell in which nothing is active. Nothing for a prefix
 * without `conda-meta`. A file that is not JSON is passed over, as conda does.
 */
export async function activationOf(prefix: string, at: Surroundings): Promise<Activation> {
  const { path } = at;
  const meta = path.join(prefix, "conda-meta");
  if (!(await isCondaPrefix(prefix, at))) return { ...NO_ACTIVATION, watch: [meta] };
  const folder = path.join(prefix, "etc", "conda", "env_vars.d");
  const scripts = path.join(prefix, "etc", "conda", "activate.d");
  const state = path.join(meta, "state");
  const files = (await namesIn(folder)).filter((name) => name.endsWith(".json"));
  const watch = [meta, state, folder, scripts];
  for (const name of files) watch.push(path.join(folder, name));
  for (const name of await namesIn(scripts)) watch.push(path.join(scripts, name));
  const told = (await askManager(prefix, at)) ?? (await fromFiles(prefix, files, at));
  const run = told.hasRunScripts ? undefined : await runScripts(prefix, told, at);
  return {
    variables: { ...told.variables, ...run?.variables },
    front: [...(run?.front ?? []), ...told.front],
    complaint: run?.complaint ?? null,
    isSettled: run?.isSettled ?? true,
    looks: { ...told.looks, ...run?.looks },
    watch,
  };
}

/** The variables of an activation, with the search path of this machine behind its directories. */
export function activated(
  { variables, front }: Pick<Activation, "variables" | "front">,
  { environ, path }: Surroundings,
): Record<string, string> {
  if (front.length === 0) return { ...variables };
  const current = searchPath(environ);
  const value = [...front, ...(current.value ? [current.value] : [])].join(path.delimiter);
  return { ...variables, [current.name]: value };
}

async function fromFiles(prefix: string, files: readonly string[], at: Surroundings): Promise<Told> {
  const { path } = at;
  const variables: Record<string, string> = {};
  for (const name of files.toSorted()) {
    assignStrings(variables, await readJson(path.join(prefix, "etc", "conda", "env_vars.d", name)));
  }
  assignStrings(variables, (await readJson(path.join(prefix, "conda-meta", "state")))["env_vars"]);
  variables["CONDA_PREFIX"] = prefix;
  variables["CONDA_DEFAULT_ENV"] =
    path.basename(path.dirname(prefix)) === "envs" ? path.basename(prefix) : prefix;
  return { variables, front: activationPaths(prefix, at), hasRunScripts: false, looks: {} };
}

async function namesIn(folder: string): Promise<string[]> {
  return readdir(folder).catch(() => []);
}

function assignStrings(into: Record<string, string>, values: unknown): void {
  if (!isRecord(values)) return;
  for (const [name, value] of Object.entries(values)) {
    if (value === UNSET) delete into[name];
    else if (typeof value === "string" || typeof value === "number") into[name] = String(value);
  }
}
