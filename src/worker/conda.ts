import { readFile } from "node:fs/promises";
import type { Surroundings } from "./surroundings.ts";

/** Installation directories of the conda family, under the home directory unless absolute. */
const HOME_ROOTS = [
  "miniforge3",
  "mambaforge",
  "miniconda3",
  "anaconda3",
  "micromamba",
  ".local/share/mamba",
  ".conda",
  ".pixi",
];
const POSIX_ROOTS = ["/opt/conda", "/opt/miniforge3", "/opt/miniconda3", "/opt/anaconda3"];

/** The interpreter inside a conda prefix. */
export function condaPython(prefix: string, { platform, path }: Surroundings): string {
  return platform === "win32" ? path.join(prefix, "python.exe") : path.join(prefix, "bin", "python");
}

/**
 * Every prefix in which an environment of this name may live, in the order in which they are tried: the roots
 * that the environment variables name, the usual installation directories, `~/.conda/environments.txt`.
 */
export async function condaPrefixes(name: string, at: Surroundings): Promise<string[]> {
  const { path, home } = at;
  const found = condaRoots(at).map((root) => path.join(root, "envs", name));
  found.unshift(...envsDirectories(at).map((folder) => path.join(folder, name)));
  const list = await readFile(path.join(home, ".conda", "environments.txt"), "utf8").catch(() => "");
  const listed = list.split(/\r?\n/).map((line) => line.trim());
  found.push(...listed.filter((line) => path.isAbsolute(line) && path.basename(line) === name));
  return [...new Set(found)];
}

/** Installation roots of conda, mamba, micromamba and pixi that this machine names or usually has. */
export function condaRoots(at: Surroundings): string[] {
  const { environ, platform, home, path } = at;
  const roots = [environ["MAMBA_ROOT_PREFIX"], environ["CONDA_ROOT"], environ["PIXI_HOME"]];
  // <root>/bin/conda or <root>\Scripts\conda.exe
  if (environ["CONDA_EXE"]) roots.push(path.dirname(path.dirname(environ["CONDA_EXE"])));
  roots.push(...HOME_ROOTS.map((root) => path.join(home, ...root.split("/"))));
  if (platform === "win32") {
    const shared = [environ["LOCALAPPDATA"], environ["ProgramData"]].filter((base) => base !== undefined);
    for (const base of shared) roots.push(...HOME_ROOTS.slice(0, 4).map((root) => path.join(base, root)));
  } else {
    roots.push(...POSIX_ROOTS);
  }
  return [...new Set(roots.filter((root) => root !== undefined).filter((root) => path.isAbsolute(root)))];
}

function envsDirectories({ environ, path }: Surroundings): string[] {
  const listed = `${environ["CONDA_ENVS_PATH"] ?? ""}${path.delimiter}${environ["CONDA_ENVS_DIRS"] ?? ""}`;
  return listed.split(path.delimiter).filter((folder) => path.isAbsolute(folder));
}
