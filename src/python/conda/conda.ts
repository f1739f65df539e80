/** Where the conda family keeps its environments on this machine. Nothing is started to find them. */
import { readdir, stat } from "node:fs/promises";
import { configuredFolders } from "./condarc.ts";
import { condaRoots, isCondaPrefix, listedPrefixes } from "./roots.ts";
import type { Surroundings } from "../surroundings.ts";

/** The interpreter inside a conda prefix. */
export function condaPython(prefix: string, { platform, path }: Surroundings): string {
  return platform === "win32" ? path.join(prefix, "python.exe") : path.join(prefix, "bin", "python");
}

/** The conda prefix that an interpreter would be of. */
export function prefixOf(python: string, { platform, path }: Surroundings): string {
  return platform === "win32" ? path.dirname(python) : path.dirname(path.dirname(python));
}

/** What conda calls the environment that an installation itself is. */
export const ROOT_NAMES: readonly string[] = ["base", "root"];

/**
 * Every prefix in which an environment of this name may live, in the order in which they are tried: the directories
 * that variables and `.condarc` name, the projects of pixi around the working directory, the roots that the
 * environment variables name, those of the programs on the PATH, the usual installation directories,
 * `~/.conda/environments.txt`. `base` is the root of each installation.
 */
export async function condaPrefixes(name: string, at: Surroundings): Promise<string[]> {
  const { path } = at;
  const roots = await condaRoots(at);
  const found = ROOT_NAMES.includes(name) ? await condaPrefixesAmong(roots, at) : [];
  found.push(...(await foldersOf(roots, at)).map((folder) => path.join(folder, name)));
  found.push(...(await listedPrefixes(at)).filter((prefix) => path.basename(prefix) === name));
  return [...new Set(found)];
}

/** Every prefix on this machine that can be found without starting anything, whatever its name; each exists. */
export async function everyPrefix(at: Surroundings): Promise<string[]> {
  const roots = await condaRoots(at);
  const found = await prefixesIn(await foldersOf(roots, at), at);
  return condaPrefixesAmong([...new Set([...found, ...(await listedPrefixes(at)), ...roots])], at);
}

async function condaPrefixesAmong(prefixes: readonly string[], at: Surroundings): Promise<string[]> {
  const isConda = await Promise.all(prefixes.map((prefix) => isCondaPrefix(prefix, at)));
  return prefixes.filter((_prefix, place) => isConda[place]);
}

/** What lies in these directories of environments, directory by directory. */
export async function prefixesIn(folders: readonly string[], { path }: Surroundings): Promise<string[]> {
  const found = await Promise.all(
    folders.map(async (folder) => (await namesIn(folder)).toSorted().map((name) => path.join(folder, name))),
  );
  return found.flat();
}

/** The directories in which environments are made. */
async function foldersOf(roots: readonly string[], at: Surroundings): Promise<string[]> {
  const areThere = await Promise.all(roots.map((root) => stat(root).catch(() => undefined)));
  const installed = roots.filter((_root, place) => areThere[place]);
  return [
    ...new Set([
      ...(await configuredFolders(installed, at)),
      ...pixiFolders(at),
      ...roots.map((root) => at.path.join(root, "envs")),
    ]),
  ];
}

/** `.pixi/envs` of the working directory and of those above it. */
function pixiFolders({ cwd, path }: Surroundings): string[] {
  const folders: string[] = [];
  for (let folder = cwd; ; folder = path.dirname(folder)) {
    folders.push(path.join(folder, ".pixi", "envs"));
    if (path.dirname(folder) === folder) return folders;
  }
}

async function namesIn(folder: string): Promise<string[]> {
  return readdir(folder).catch(() => []);
}
