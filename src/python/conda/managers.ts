/** The programs of the conda family on this machine. */
import { stat } from "node:fs/promises";
import { whichCommand } from "../candidates.ts";
import { runCommand } from "../command.ts";
import { prefixOf } from "./conda.ts";
import { condaRoots } from "./roots.ts";
import { parseRecord } from "../../base/files/json.ts";
import { registeredPythons } from "./registry.ts";
import type { Surroundings } from "../surroundings.ts";

/** Which program it is; they differ in their words. */
export type ManagerKind = "mamba" | "micromamba" | "conda";

/** A program that makes environments. */
export interface Manager {
  readonly kind: ManagerKind;
  /** Absolute path. */
  readonly file: string;
}

/** The quickest solver first. */
const KINDS: readonly ManagerKind[] = ["mamba", "micromamba", "conda"];

/**
 * The manager to make environments with: on the PATH, named by a variable, in an installation directory, which on
 * Windows is not on the PATH outside the Anaconda prompt, or in one that the registry knows. `undefined` where there is none.
 */
export async function findManager(
  at: Surroundings,
  kinds: readonly ManagerKind[] = KINDS,
): Promise<Manager | undefined> {
  for (const kind of kinds) {
    const file = await whichCommand(kind, at);
    if (file) return { kind, file: await programBehind(file, kind, at) };
  }
  const found = await inRoots(kinds, await condaRoots(at), at);
  if (found) return found;
  // The registry is asked last: that starts a program.
  const registered = (await registeredPythons(at)).map((python) => prefixOf(python, at));
  return inRoots(kinds, registered, at);
}

/** What a manager tells of itself. */
export interface ManagerInfo {
  /** Absolute directories in which it makes environments, first first; none where it did not answer. */
  readonly folders: readonly string[];
  /** Absolute directories in which it keeps the packages that it downloads. */
  readonly caches: readonly string[];
  /** Absolute path of its own installation. */
  readonly root: string | undefined;
  /** Absolute paths of the environments that it knows. */
  readonly prefixes: readonly string[];
  /** The last line of its complaint; empty where there was none. */
  readonly complaint: string;
}

/** Asks a manager where its things are, which takes it a second. */
export async function askInfo({ file }: Manager, at: Surroundings): Promise<ManagerInfo> {
  const result = await runCommand(file, ["info", "--json"], { env: at.environ, timeoutMs: 60_000 });
  const info = result.code === 0 ? parseRecord(result.stdout) : {};
  // conda and mamba 1 say envs_dirs, micromamba and mamba 2 say it in words.
  const listed = (name: string, words: string): string[] => {
    const list = info[name] ?? info[words];
    return (Array.isArray(list) ? list.map(String) : []).filter((path) => at.path.isAbsolute(path));
  };
  const root = info["root_prefix"] ?? info["base environment"];
  return {
    folders: listed("envs_dirs", "envs directories"),
    caches: listed("pkgs_dirs", "package cache"),
    root: typeof root === "string" && at.path.isAbsolute(root) ? root : undefined,
    prefixes: listed("envs", "environments"),
    complaint: result.stderr.trim().split("\n").at(-1) ?? "",
  };
}

/** Behind the batch file that is on the PATH of Windows there is a program, which needs no shell and hears Ctrl-C itself. */
async function programBehind(file: string, kind: ManagerKind, { path }: Surroundings): Promise<string> {
  if (!/\.(?:bat|cmd)$/i.test(file)) return file;
  const program = path.join(path.dirname(path.dirname(file)), "Scripts", `${kind}.exe`);
  return (await stat(program).catch(() => undefined))?.isFile() ? program : file;
}

async function inRoots(
  kinds: readonly ManagerKind[],
  roots: readonly string[],
  at: Surroundings,
): Promise<Manager | undefined> {
  for (const kind of kinds) {
    for (const file of placesOf(kind, roots, at)) {
      if ((await stat(file).catch(() => undefined))?.isFile()) return { kind, file };
    }
  }
  return undefined;
}

function placesOf(kind: ManagerKind, roots: readonly string[], at: Surroundings): string[] {
  const { environ, platform, path } = at;
  const variable = kind === "conda" ? environ["CONDA_EXE"] : environ["MAMBA_EXE"];
  const named = variable && path.isAbsolute(variable) && kindOf(variable, at) === kind ? [variable] : [];
  const inside =
    platform === "win32"
      ? [`Scripts\\${kind}.exe`, `Library\\bin\\${kind}.exe`, `condabin\\${kind}.bat`]
      : [`bin/${kind}`, `condabin/${kind}`];
  return [...named, ...roots.flatMap((root) => inside.map((entry) => path.join(root, entry)))];
}

function kindOf(file: string, { path }: Surroundings): string {
  return path.basename(file).replace(/\.(?:exe|bat|cmd)$/i, "");
}
