/** What a conda prefix holds, read from its files without starting Python. */
import { readdir, stat } from "node:fs/promises";
import { isOlder, OLDEST_PYTHON, OLDEST_TORCH } from "../probe.ts";
import type { Surroundings } from "../surroundings.ts";

/** A package as `conda-meta` has it. */
export interface CondaPackage {
  readonly version: string;
  /** Such as `py3.10_cuda11.3_cudnn8.3.2_0`: what it was built for. */
  readonly build: string;
}

/** The contents of a prefix, as far as they matter here. */
export interface PrefixContents {
  /** The version of its Python; `undefined` where it has none. */
  readonly python: string | undefined;
  /** The packages of `conda-meta` by name. */
  readonly packages: ReadonlyMap<string, CondaPackage>;
  /** What the worker imports and is not there, by the names that people install; `undefined` where it cannot be told. */
  readonly missing: readonly string[] | undefined;
  /** The version of torch, from conda or pip. */
  readonly torch: string | undefined;
}

/** What the worker imports, and the name under which people install it. */
const NEEDED: Readonly<Record<string, string>> = {
  torch: "torch",
  torchvision: "torchvision",
  PIL: "pillow",
  zmq: "pyzmq",
  msgpack: "msgpack",
  numpy: "numpy",
};

/** Reads `conda-meta` and `site-packages`; `undefined` for a directory that is no conda prefix. */
export async function readPrefix(prefix: string, at: Surroundings): Promise<PrefixContents | undefined> {
  const { path } = at;
  const meta = await namesIn(path.join(prefix, "conda-meta"));
  if (!meta) return undefined;
  const packages = new Map(meta.flatMap((name) => packageOf(name)));
  const python = packages.get("python")?.version;
  const site = python === undefined ? undefined : sitePackages(prefix, python, at);
  const installed = site === undefined ? undefined : await namesIn(site);
  const torch =
    packages.get("pytorch")?.version ??
    (site && installed && (await pipVersion("torch", site, installed, at)));
  return { python, packages, torch, missing: installed && missingFrom(installed) };
}

/** Why an environment with these contents cannot run the worker, one clause; `undefined` where nothing speaks against it. */
export function refusalOf({ python, packages, missing, torch }: PrefixContents): string | undefined {
  // Something made by other means, or by hand, is left to its own interpreter to describe.
  if (packages.size === 0) return undefined;
  if (python === undefined) return "is a conda environment without Python";
  if (isOlder(python, OLDEST_PYTHON)) return `Python ${python} is older than ${OLDEST_PYTHON}`;
  if (missing && missing.length > 0) return `Python ${python} without ${missing.join(", ")}`;
  if (torch !== undefined && isOlder(torch, OLDEST_TORCH))
    return `torch ${torch} is older than ${OLDEST_TORCH}`;
  return undefined;
}

/** What its PyTorch was built for: `CPU`, `CUDA 11.3`; `undefined` where the name of the build does not tell. */
export function torchBuild({ packages }: PrefixContents): string | undefined {
  const build = packages.get("pytorch")?.build ?? "";
  // pytorch's own channel writes cuda11.3, conda-forge cuda113 or cuda_126.
  const cuda = /cuda_?(\d{1,2})\.?(\d)/.exec(build);
  if (cuda) return `CUDA ${cuda[1]}.${cuda[2]}`;
  return /(?:^|_)cpu/.test(build) ? "CPU" : undefined;
}

function packageOf(file: string): [string, CondaPackage][] {
  const [, name, version, build] = /^(.+)-([^-]+)-([^-]+)\.json$/.exec(file) ?? [];
  return name && version && build ? [[name, { version, build }]] : [];
}

function sitePackages(prefix: string, python: string, { platform, path }: Surroundings): string {
  if (platform === "win32") return path.join(prefix, "Lib", "site-packages");
  const [major, minor] = python.split(".");
  return path.join(prefix, "lib", `python${major}.${minor}`, "site-packages");
}

function missingFrom(installed: readonly string[]): string[] | undefined {
  // Links into other directories: only Python itself can follow all of them.
  const isLinked = (name: string): boolean =>
    name.endsWith(".egg-link") || /^(?:__editable__|easy-install).*\.pth$/.test(name);
  if (installed.some(isLinked)) return undefined;
  const has = new Set(installed);
  return Object.entries(NEEDED)
    .filter(([module]) => !has.has(module) && !has.has(`${module}.py`))
    .map(([, name]) => name);
}

/** The version that pip's records agree on; an interrupted installation leaves one without METADATA, which says nothing. */
async function pipVersion(
  name: string,
  site: string,
  installed: readonly string[],
  { path }: Surroundings,
): Promise<string | undefined> {
  const infos = installed.filter((entry) => entry.startsWith(`${name}-`) && entry.endsWith(".dist-info"));
  const isWhole = await Promise.all(
    infos.map((info) =>
      stat(path.join(site, info, "METADATA")).then(
        (found) => found.size > 0,
        () => false,
      ),
    ),
  );
  const [whole, ...others] = infos.filter((_info, place) => isWhole[place]);
  return others.length > 0 ? undefined : whole?.slice(name.length + 1, -".dist-info".length);
}

async function namesIn(folder: string): Promise<string[] | undefined> {
  return readdir(folder).catch(() => undefined);
}
