// The environments of `npm run compat`: which they are, made from PyPI, and what is in them.
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { Stop, lastLine, orStop, run, tell } from "./run.mjs";

/** Oldest first: the others are compared with the first one. */
export const ENVIRONMENTS = [
  {
    // The pair that env.yml pins, with the Pillow of its time.
    name: "py310-torch1.12",
    python: "3.10",
    packages: ["torch==1.12.1", "torchvision==0.13.1", "numpy==1.26.4", "pillow==9.2.0"],
  },
  {
    // The newest of everything.
    name: "py313-torch2.15",
    python: "3.13",
    packages: ["torch==2.15.0", "torchvision==0.29.2", "numpy==2.5.5", "pillow==13.0.0"],
  },
];
const NEEDED_TOO = ["pyzmq", "msgpack", "pytest"];

const VERSIONS = `
import json, platform, re
import numpy, PIL, torch, torchvision
from PIL import features
config = torch.__config__.show()
def found(pattern):
    match = re.search(pattern, config)
    return match.group(1) if match else "unknown"
print(json.dumps({
    "python": platform.python_version(), "torch": torch.__version__, "torchvision": torchvision.__version__,
    "pillow": PIL.__version__, "libjpeg": features.version("libjpeg_turbo") or str(features.version("jpg")),
    "numpy": numpy.__version__, "onednn": found(r"MKL-DNN v(\\S+)"), "cpu": found(r"CPU capability usage: (\\S+)"),
}))`;

/** The environment with its interpreter, installed if it is not there as listed. */
export function made({ name, python, packages }, venvs) {
  const folder = join(venvs, name);
  const interpreter = join(folder, process.platform === "win32" ? "Scripts/python.exe" : "bin/python");
  const wanted = [...packages, ...NEEDED_TOO];
  const stamp = join(folder, "isotorch-compat.json");
  const isDone = existsSync(stamp) && readFileSync(stamp, "utf8") === JSON.stringify(wanted);
  if (isDone && existsSync(interpreter)) return { name, python: interpreter };

  tell(`${name}: making it in ${folder}`);
  mkdirSync(folder, { recursive: true });
  orStop(name, run(interpreterOf(name, python), ["-m", "venv", folder]));
  const install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", ...wanted];
  orStop(name, run(interpreter, install));
  writeFileSync(stamp, JSON.stringify(wanted));
  return { name, python: interpreter };
}

function interpreterOf(name, version) {
  const pyenv = join(process.env.PYENV_ROOT ?? join(homedir(), ".pyenv"), "versions");
  const installed = existsSync(pyenv) ? readdirSync(pyenv) : [];
  const ofPyenv = installed.filter((one) => one.startsWith(`${version}.`));
  const candidates = [`python${version}`, ...ofPyenv.map((one) => join(pyenv, one, "bin", "python"))];
  // One of pyenv's shims is on the PATH for every version, and fails for those that are not selected.
  const found = candidates.find((candidate) => {
    const { status, stdout } = run(candidate, ["-c", "import sys; print('%d.%d' % sys.version_info[:2])"]);
    return status === 0 && stdout.trim() === version;
  });
  if (found !== undefined) return found;
  const where = `neither python${version} on the PATH nor one of pyenv's`;
  const hint = `Install it (pyenv install ${version}), or leave this environment out with --only.`;
  throw new Stop(`${name}: there is no Python ${version}, ${where}. ${hint}`);
}

/** What the environment's answers may depend on. */
export function versionsOf({ name, python }) {
  const result = run(python, ["-I", "-c", VERSIONS]);
  if (result.status !== 0) throw new Stop(`${name} does not work: ${lastLine(result)}`);
  return JSON.parse(result.stdout);
}
