/** Where the conda family is installed on this machine. Nothing is started to find it. */
import { readdir, readFile, realpath } from "node:fs/promises";
import { searchDirectories, type Surroundings } from "../surroundings.ts";

/** Installation directories of the conda family, under the home directory. */
const HOME_ROOTS = [
  "miniforge3",
  "mambaforge",
  "miniconda3",
  "anaconda3",
  "micromamba",
  ".local/share/mamba",
  ".conda",
  ".pixi",
  "opt/miniconda3",
  "opt/anaconda3",
];
const POSIX_ROOTS = ["/opt/conda", "/opt/miniforge3", "/opt/miniconda3", "/opt/anaconda3"];
/** Where Homebrew puts them. */
const MAC_ROOTS = ["/opt/homebrew", "/usr/local"].flatMap((brew) => [
  ...["miniforge", "mambaforge", "miniconda"].map((cask) => `${brew}/Caskroom/${cask}/base`),
  `${brew}/anaconda3`,
  `${brew}/miniconda3`,
]);
/** Under the directories of Windows that programs are installed in, for one user or for all. */
const WINDOWS_ROOTS = [
  "miniforge3",
  "mambaforge",
  "miniconda3",
  "anaconda3",
  "mamba",
  "Continuum\\anaconda3",
  "Continuum\\miniconda3",
];
/** Under the system drive: what Chocolatey does, and what people do by hand. */
const DRIVE_ROOTS = [
  "miniforge3",
  "miniconda3",
  "anaconda3",
  "tools\\miniforge3",
  "tools\\miniconda3",
  "tools\\Anaconda3",
];
const SCOOP_ROOTS = ["miniforge", "miniconda3", "anaconda3"];

/**
 * Installation roots of conda, mamba, micromamba and pixi: those that variables name, those of the programs on the PATH,
 * those of which `~/.conda/environments.txt` knows an environment, and the usual ones, which may not exist.
 */
export async function condaRoots(at: Surroundings): Promise<string[]> {
  const { path } = at;
  const ofListed = (await listedPrefixes(at)).map((prefix) => {
    const folder = path.dirname(prefix);
    return path.basename(folder) === "envs" ? path.dirname(folder) : prefix;
  });
  const found = [...(await rootsOnPath(at)), ...ofListed];
  const isInstalled = await Promise.all(found.map((root) => isCondaPrefix(root, at)));
  const [named, usual] = usualRoots(at);
  return [...new Set([...named, ...found.filter((_root, place) => isInstalled[place]), ...usual])];
}

/** The roots of the programs on the PATH, which may be links into them. */
async function rootsOnPath(at: Surroundings): Promise<string[]> {
  const names = ["conda", "mamba"].flatMap((name) =>
    at.platform === "win32" ? [`${name}.exe`, `${name}.bat`] : [name],
  );
  const files = searchDirectories(at).flatMap((folder) => names.map((name) => at.path.join(folder, name)));
  const real = await Promise.all(files.map((file) => realpath(file).catch(() => undefined)));
  return real.filter((file) => file !== undefined).map((file) => rootOf(file, at));
}

/** The root of `<root>/bin/conda`, `<root>/condabin/conda`, `<root>\Scripts\conda.exe` or `<root>\Library\bin\mamba.exe`. */
function rootOf(file: string, { path }: Surroundings): string {
  const root = path.dirname(path.dirname(file));
  return path.basename(root) === "Library" ? path.dirname(root) : root;
}

/** Installation roots that variables name, and those that machines of this kind usually have. */
function usualRoots(at: Surroundings): [named: string[], usual: string[]] {
  const { environ, platform, home, path } = at;
  const named = [environ["MAMBA_ROOT_PREFIX"], environ["CONDA_ROOT"], environ["PIXI_HOME"]];
  for (const name of ["CONDA_EXE", "_CONDA_EXE"]) {
    const file = environ[name];
    if (file) named.push(rootOf(file, at));
  }
  const roots = HOME_ROOTS.map((root) => path.join(home, ...root.split("/")));
  if (platform === "win32") {
    const shared = [environ["LOCALAPPDATA"], environ["APPDATA"], environ["ProgramData"]];
    // Where conda makes environments whose root cannot be written.
    if (shared[0]) roots.push(path.join(shared[0], "conda", "conda"));
    for (const base of shared) if (base) roots.push(...WINDOWS_ROOTS.map((root) => path.join(base, root)));
    const drive = `${environ["SystemDrive"] ?? "C:"}\\`;
    roots.push(...DRIVE_ROOTS.map((root) => path.join(drive, root)));
    roots.push(...SCOOP_ROOTS.map((root) => path.join(home, "scoop", "apps", root, "current")));
  } else {
    roots.push(...POSIX_ROOTS, ...(platform === "darwin" ? MAC_ROOTS : []));
  }
  const absolute = named.filter((root) => root !== undefined).filter((root) => path.isAbsolute(root));
  return [[...new Set(absolute)], roots];
}

/** `~/.conda/environments.txt`, in which conda, mamba and micromamba note every environment that they make. */
export async function listedPrefixes({ home, path }: Surroundings): Promise<string[]> {
  const list = await readFile(path.join(home, ".conda", "environments.txt"), "utf8").catch(() => "");
  return list
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => path.isAbsolute(line));
}

/** Whether a directory is an environment of the conda family, finished or not. */
export async function isCondaPrefix(prefix: string, { path }: Surroundings): Promise<boolean> {
  return readdir(path.join(prefix, "conda-meta")).then(
    () => true,
    () => false,
  );
}
