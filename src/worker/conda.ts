/** Where the conda family keeps its environments on this machine. Nothing is started to find them. */
import { readdir, readFile } from "node:fs/promises";
import type { Surroundings } from "./surroundings.ts";

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

/** The interpreter inside a conda prefix. */
export function condaPython(prefix: string, { platform, path }: Surroundings): string {
  return platform === "win32" ? path.join(prefix, "python.exe") : path.join(prefix, "bin", "python");
}

/** The conda prefix that an interpreter would be of. */
export function prefixOf(python: string, { platform, path }: Surroundings): string {
  return platform === "win32" ? path.dirname(python) : path.dirname(path.dirname(python));
}

/**
 * Every prefix in which an environment of this name may live, in the order in which they are tried: the directories
 * that variables and `.condarc` name, the projects of pixi around the working directory, the roots that the
 * environment variables name, the usual installation directories, `~/.conda/environments.txt`.
 */
export async function condaPrefixes(name: string, at: Surroundings): Promise<string[]> {
  const { path } = at;
  const folders = [
    ...environmentFolders(at),
    ...(await condarcFolders(at)),
    ...pixiFolders(at),
    ...condaRoots(at).map((root) => path.join(root, "envs")),
  ];
  const found = folders.map((folder) => path.join(folder, name));
  found.push(...(await listedPrefixes(at)).filter((prefix) => path.basename(prefix) === name));
  return [...new Set(found)];
}

/** Every prefix on this machine that can be found without starting anything, whatever its name; each exists. */
export async function everyPrefix(at: Surroundings): Promise<string[]> {
  const { path } = at;
  const roots = condaRoots(at);
  const folders = [
    ...environmentFolders(at),
    ...(await condarcFolders(at)),
    ...pixiFolders(at),
    ...roots.map((root) => path.join(root, "envs")),
  ];
  const found = await Promise.all(
    [...new Set(folders)].map(async (folder) =>
      ((await namesIn(folder)) ?? []).toSorted().map((name) => path.join(folder, name)),
    ),
  );
  const all = [...new Set([...found.flat(), ...(await listedPrefixes(at)), ...roots])];
  const isConda = await Promise.all(all.map((prefix) => isCondaPrefix(prefix, at)));
  return all.filter((_prefix, place) => isConda[place]);
}

/** Whether a directory is an environment of the conda family, finished or not. */
export async function isCondaPrefix(prefix: string, { path }: Surroundings): Promise<boolean> {
  return (await namesIn(path.join(prefix, "conda-meta"))) !== undefined;
}

/** Installation roots of conda, mamba, micromamba and pixi that this machine names or usually has. */
export function condaRoots(at: Surroundings): string[] {
  const { environ, platform, home, path } = at;
  const roots = [environ["MAMBA_ROOT_PREFIX"], environ["CONDA_ROOT"], environ["PIXI_HOME"]];
  // <root>/bin/conda or <root>\Scripts\conda.exe
  if (environ["CONDA_EXE"]) roots.push(path.dirname(path.dirname(environ["CONDA_EXE"])));
  roots.push(...HOME_ROOTS.map((root) => path.join(home, ...root.split("/"))));
  if (platform === "win32") {
    const shared = [environ["LOCALAPPDATA"], environ["APPDATA"], environ["ProgramData"]];
    for (const base of shared) if (base) roots.push(...WINDOWS_ROOTS.map((root) => path.join(base, root)));
    const drive = `${environ["SystemDrive"] ?? "C:"}\\`;
    roots.push(...DRIVE_ROOTS.map((root) => path.join(drive, root)));
    roots.push(...SCOOP_ROOTS.map((root) => path.join(home, "scoop", "apps", root, "current")));
  } else {
    roots.push(...POSIX_ROOTS, ...(platform === "darwin" ? MAC_ROOTS : []));
  }
  return [...new Set(roots.filter((root) => root !== undefined).filter((root) => path.isAbsolute(root)))];
}

function environmentFolders({ environ, path }: Surroundings): string[] {
  const listed = `${environ["CONDA_ENVS_PATH"] ?? ""}${path.delimiter}${environ["CONDA_ENVS_DIRS"] ?? ""}`;
  return listed.split(path.delimiter).filter((folder) => path.isAbsolute(folder));
}

/** `.pixi/envs` of the working directory and of those above it. */
function pixiFolders({ cwd, path }: Surroundings): string[] {
  const folders: string[] = [];
  for (let folder = cwd; ; folder = path.dirname(folder)) {
    folders.push(path.join(folder, ".pixi", "envs"));
    if (path.dirname(folder) === folder) return folders;
  }
}

/** The `envs_dirs` of the configuration files that belong to the user. */
async function condarcFolders({ home, environ, path }: Surroundings): Promise<string[]> {
  const files = [
    path.join(home, ".condarc"),
    path.join(home, ".conda", ".condarc"),
    path.join(environ["XDG_CONFIG_HOME"] ?? path.join(home, ".config"), "conda", ".condarc"),
    path.join(home, ".mambarc"),
  ];
  const texts = await Promise.all(files.map((file) => readFile(file, "utf8").catch(() => "")));
  return texts
    .flatMap(foldersInCondarc)
    .map((folder) => folder.replace(/^~(?=[\\/])/, home))
    .filter((folder) => path.isAbsolute(folder));
}

/** The items of the YAML list `envs_dirs`, in its block form; the only form that conda itself writes. */
function foldersInCondarc(text: string): string[] {
  const list = /^envs_(?:dirs|path):[^\S\n]*\r?\n((?:[^\S\n]*-.*(?:\n|$))+)/m.exec(text)?.[1] ?? "";
  return [...list.matchAll(/^\s*-\s*(["']?)(.+?)\1\s*$/gm)].map((item) => item[2] ?? "");
}

/** `~/.conda/environments.txt`, in which conda, mamba and micromamba note every environment that they make. */
async function listedPrefixes({ home, path }: Surroundings): Promise<string[]> {
  const list = await readFile(path.join(home, ".conda", "environments.txt"), "utf8").catch(() => "");
  return list
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => path.isAbsolute(line));
}

async function namesIn(folder: string): Promise<string[] | undefined> {
  return readdir(folder).catch(() => undefined);
}
