import { IsotorchError } from "../base/errors.ts";
import { whichCommand } from "../python/candidates.ts";
import { quoted, runCommand } from "../python/command.ts";
import { isOlder, OLDEST_PYTHON, pythonVersion } from "../python/probe.ts";
import { UTF8_MODE } from "../python/script.ts";
import type { Surroundings } from "../python/surroundings.ts";

const NAMES = ["python3.13", "python3.12", "python3.11", "python3.10", "python3.9", "python3", "python"];
/** The first Python for which PyTorch may have no wheels. */
const TOO_NEW = "3.14";

/**
 * The interpreter that a virtual environment is made from: the asked one, else the newest of Python 3.9 to 3.13
 * that can make one. Rejects with `SETUP_FAILED` and the reason for each that was looked at.
 */
export async function newestPython(asked: string | undefined, at: Surroundings): Promise<string> {
  const refused: string[] = [];
  for (const python of await candidates(asked, at)) {
    const reason = await refusal(python, at);
    if (reason === undefined) return python;
    refused.push(`\n  ${python}: ${reason}`);
  }
  const tried = refused.length > 0 ? ` Tried:${refused.join("")}` : "";
  throw new IsotorchError("SETUP_FAILED", `No Python here can make a virtual environment.${tried}`, {
    hint: refused.some((line) => line.includes("venv"))
      ? "On Debian and Ubuntu: sudo apt-get install python3-venv; then isotorch setup --via venv"
      : "Install Python 3.9 to 3.13, then isotorch setup --via venv --python /path/to/python3",
  });
}

async function candidates(asked: string | undefined, at: Surroundings): Promise<string[]> {
  if (asked !== undefined) {
    const named = /[\\/]/.test(asked) ? undefined : await whichCommand(asked, at);
    return [named ?? at.path.resolve(asked)];
  }
  const found: string[] = [];
  for (const name of NAMES) {
    const python = await whichCommand(name, at);
    if (python) found.push(python);
  }
  return [...new Set([...found, ...at.systemPythons])];
}

async function refusal(python: string, at: Surroundings): Promise<string | undefined> {
  const version = await pythonVersion(python, { env: at.environ });
  if (version === undefined) return "is not a working Python";
  if (isOlder(version, OLDEST_PYTHON)) return `Python ${version} is older than ${OLDEST_PYTHON}`;
  if (!isOlder(version, TOO_NEW)) return `Python ${version} is newer than PyTorch's wheels (3.9 to 3.13)`;
  const made = await runCommand(python, ["-E", "-s", ...UTF8_MODE, "-c", "import venv, ensurepip"], {
    env: at.environ,
    timeoutMs: 10_000,
  });
  return made.code === 0
    ? undefined
    : `Python ${version} without venv (\`${quoted(python)} -m venv\` needs it)`;
}
