// The environments of `npm run compat`: which they are, made from PyPI or the distribution's own, and what is in them.
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { Stop, lastLine, orStop, run, tell } from "./run.mjs";

/** The others are compared with the first one. */
export const ENVIRONMENTS = [
  {
    // What the distribution has, if it has any: never made, only used.
    name: "debian",
    interpreter: "/usr/bin/python3",
  },
  {
    // The pair that env.yml pins, with a Pillow whose wheels decode JPEG by the IJG's libjpeg.
    name: "py310-torch1.12",
    python: "3.10",
    packages: ["torch==1.12.1", "torchvision==0.13.1", "numpy==1.26.4", "pillow==8.4.0"],
  },
  {
    // The newest of everything.
    name: "py313-torch2.15",
    python: "3.13",
    packages: ["torch==2.15.0", "torchvision==0.29.2", "numpy==2.5.5", "pillow==13.0.0"],
  },
  {
    // The same with the Pillow before, and nothing else of its own.
    name: "py313-torch2.15-pillow12",
    python: "3.13",
    over: "py313-torch2.15",
    packages: ["pillow==12.3.0"],
  },
];
const NEEDED_TOO = ["pyzmq", "msgpack", "pytest"];
const VERSIONS = "scripts/compat/versions.py";

/** The environment with its interpreter, installed if it is not there as listed; `undefined` where it is left out. */
export function made(environment, venvs) {
  if (environment.interpreter !== undefined)
    return distribution((why) => tell(`${environment.name}: left out: ${why}`));
  const { name, python, packages, over } = environment;
  const base = over === undefined ? undefined : made(named(over), venvs);
  const folder = join(venvs, name);
  const interpreter = join(folder, process.platform === "win32" ? "Scripts/python.exe" : "bin/python");
  const wanted = base === undefined ? [...packages, ...NEEDED_TOO] : packages;
  const stamp = join(folder, "isotorch-compat.json");
  const isDone = existsSync(stamp) && readFileSync(stamp, "utf8") === JSON.stringify(wanted);
  if (isDone && existsSync(interpreter)) return { name, packages, python: interpreter };

  tell(`${name}: making it in ${folder}`);
  mkdirSync(folder, { recursive: true });
  orStop(name, run(interpreterOf(name, python), ["-X", "utf8", "-m", "venv", folder]));
  const link = base && join(sitePackages(name, interpreter), "isotorch-compat.pth");
  // pip looks at what the base has too, and would leave out what is there in another version.
  if (link !== undefined) rmSync(link, { force: true });
  const install = ["-X", "utf8", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", ...wanted];
  orStop(name, run(interpreter, install));
  // The base's packages come behind those of this environment.
  if (link !== undefined) writeFileSync(link, `${sitePackages(base.name, base.python)}\n`);
  writeFileSync(stamp, JSON.stringify(wanted));
  return { name, packages, python: interpreter };
}

function named(name) {
  return ENVIRONMENTS.find((environment) => environment.name === name);
}

/** The distribution's own environment; `undefined` where it does not fit, and `refused` hears why. */
export function distribution(refused = () => {}) {
  const { name, interpreter } = ENVIRONMENTS[0];
  const needed = "import torch, torchvision, PIL, numpy, zmq, msgpack, pytest";
  const tried = existsSync(interpreter) ? run(interpreter, ["-I", "-X", "utf8", "-c", needed]) : undefined;
  if (tried?.status === 0) return { name, packages: [], python: interpreter };
  refused(tried ? `${interpreter} does not fit: ${lastLine(tried)}` : `${interpreter} does not exist`);
  return undefined;
}

function sitePackages(name, python) {
  const code = "import sysconfig; print(sysconfig.get_path('purelib'))";
  return orStop(name, run(python, ["-I", "-X", "utf8", "-c", code])).stdout.trim();
}

function interpreterOf(name, version) {
  const pyenv = join(process.env.PYENV_ROOT ?? join(homedir(), ".pyenv"), "versions");
  const installed = existsSync(pyenv) ? readdirSync(pyenv) : [];
  const ofPyenv = installed.filter((one) => one.startsWith(`${version}.`));
  const candidates = [`python${version}`, ...ofPyenv.map((one) => join(pyenv, one, "bin", "python"))];
  // One of pyenv's shims is on the PATH for every version, and fails for those that are not selected.
  const found = candidates.find((candidate) => {
    const { status, stdout } = run(candidate, [
      "-X",
      "utf8",
      "-c",
      "import sys; print('%d.%d' % sys.version_info[:2])",
    ]);
    return status === 0 && stdout.trim() === version;
  });
  if (found !== undefined) return found;
  const where = `neither python${version} on the PATH nor one of pyenv's`;
  const hint = `Install it (pyenv install ${version}), or leave this environment out with --only.`;
  throw new Stop(`${name}: there is no Python ${version}, ${where}. ${hint}`);
}

/** What the environment's answers may depend on. */
export function versionsOf({ name, python, packages = [] }) {
  const result = run(python, ["-I", "-X", "utf8", "-B", VERSIONS]);
  if (result.status !== 0) throw new Stop(`${name} does not work: ${lastLine(result)}`);
  const versions = JSON.parse(result.stdout.trim().split("\n").at(-1));
  for (const [wanted, version] of packages.map((one) => one.split("==")))
    if (!versions[wanted].startsWith(version))
      throw new Stop(
        `${name} has ${wanted} ${versions[wanted]}, not ${version}. Remove it to have it made anew.`,
      );
  return versions;
}
