import { realpath, stat } from "node:fs/promises";
import { condaPrefixes, condaPython, everyPrefix, prefixesIn, prefixOf } from "./conda/conda.ts";
import { isCondaPrefix } from "./conda/roots.ts";
import { readRecord } from "./recorded.ts";
import { registeredPythons } from "./conda/registry.ts";
import { searchDirectories, type Surroundings } from "./surroundings.ts";

/** Where an environment came from. */
export type EnvironmentKind = "explicit" | "recorded" | "conda" | "system";

/** An interpreter to look at, and why it is looked at. */
export interface Place {
  /** Absolute path of the interpreter. */
  readonly python: string;
  readonly kind: EnvironmentKind;
  /** What names it: an option, a variable, a file, a directory. */
  readonly source: string;
}

/** The name that `setup` gives to the environments it makes. */
export const ENVIRONMENT_NAME = "isotorch";

/**
 * Every interpreter that may serve without being asked for, in order: the one that `setup` recorded, the active conda
 * environment, those named isotorch, the active virtual environment, the system's, those on the PATH, and last what
 * else the conda family or Windows' registry has on this machine. No interpreter is named twice.
 * Prefixes and system interpreters that do not exist are left out, except those that something names. Nothing is
 * looked for before it is asked for.
 */
export async function* places(at: Surroundings): AsyncGenerator<Place> {
  const seen = new Set<string>();
  for await (const place of everyPlace(at)) {
    const identity = await identityOf(place.python, at);
    if (!seen.has(identity)) yield place;
    seen.add(identity);
  }
}

async function* everyPlace(at: Surroundings): AsyncGenerator<Place> {
  const { environ, path } = at;
  const record = await readRecord(at);
  if (record) yield { python: record.python, kind: "recorded", source: `setup (${record.via})` };

  const active = environ["CONDA_PREFIX"];
  if (active && path.isAbsolute(active)) {
    yield { python: condaPython(active, at), kind: "conda", source: "CONDA_PREFIX" };
  }
  for (const prefix of await condaPrefixes(ENVIRONMENT_NAME, at)) {
    const python = condaPython(prefix, at);
    // One that was left half made is named, so that it is told why it is passed over.
    if ((await isFile(python)) || (await isCondaPrefix(prefix, at))) {
      yield { python, kind: "conda", source: prefix };
    }
  }

  const venv = environ["VIRTUAL_ENV"];
  if (venv && path.isAbsolute(venv)) {
    yield { python: venvPython(venv, at), kind: "system", source: "VIRTUAL_ENV" };
  }
  const names = at.platform === "win32" ? ["python.exe", "python3.exe"] : ["python3", "python"];
  const onPath = searchDirectories(at).flatMap((folder) => names.map((name) => path.join(folder, name)));
  for (const python of [...at.systemPythons, ...onPath]) {
    const source = at.systemPythons.includes(python) ? "system" : "PATH";
    if (await isFile(python)) yield { python, kind: "system", source };
  }
  for (const prefix of await everyPrefix(at)) {
    const python = condaPython(prefix, at);
    if (await isFile(python)) yield { python, kind: "conda", source: prefix };
  }
  for (const python of await registeredPythons(at)) {
    const prefix = prefixOf(python, at);
    const isConda = await isCondaPrefix(prefix, at);
    if (await isFile(python)) yield { python, kind: isConda ? "conda" : "system", source: "the registry" };
    for (const inside of isConda ? await prefixesIn([path.join(prefix, "envs")], at) : []) {
      const other = condaPython(inside, at);
      if (await isFile(other)) yield { python: other, kind: "conda", source: inside };
    }
  }
}

/** The interpreter inside a virtual environment. */
export function venvPython(folder: string, { platform, path }: Surroundings): string {
  return platform === "win32"
    ? path.join(folder, "Scripts", "python.exe")
    : path.join(folder, "bin", "python");
}

/** Finds a command such as `conda` on the PATH; `undefined` where there is none. */
export async function whichCommand(name: string, at: Surroundings): Promise<string | undefined> {
  const endings = at.platform === "win32" ? [".exe", ".bat", ".cmd"] : [""];
  for (const folder of searchDirectories(at)) {
    for (const ending of endings) {
      const file = at.path.join(folder, name + ending);
      if (await isFile(file)) return file;
    }
  }
  return undefined;
}

/** Whether two interpreters are of one environment, by whatever path. One that is gone is compared by its path. */
export async function isSameEnvironment(one: string, other: string, at: Surroundings): Promise<boolean> {
  return one === other || (await identityOf(one, at)) === (await identityOf(other, at));
}

/** A virtual environment's interpreter is a link to the system's, yet not the same environment. */
async function identityOf(python: string, { path }: Surroundings): Promise<string> {
  const folder = path.dirname(python);
  if (await isFile(path.join(path.dirname(folder), "pyvenv.cfg"))) return realpath(folder);
  return realpath(python).catch(() => python);
}

async function isFile(file: string): Promise<boolean> {
  return (await stat(file).catch(() => undefined))?.isFile() ?? false;
}
