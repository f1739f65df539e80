/** Chooses how to make an environment, and plans it. */
import { QUICK_BLAS } from "./blas.ts";
import { IsotorchError } from "../base/errors.ts";
import { venvPython, whichCommand } from "../python/candidates.ts";
import { quoted } from "../python/command.ts";
import { findManager } from "../python/conda/managers.ts";
import { venvDirectory } from "../python/surroundings.ts";
import { planConda } from "./conda/conda.ts";
import { newestPython } from "./interpreters.ts";
import type { Machine } from "./machine.ts";
import { notOpen, type Plan, type Way } from "./plan.ts";
import { hasBuilds, type Variant } from "./conda/variant.ts";

const APT_PACKAGES = [
  "python3-torch",
  "python3-torchvision",
  "python3-zmq",
  "python3-msgpack",
  "python3-pil",
];
const PIP_PACKAGES = ["torch", "torchvision", "pyzmq", "msgpack", "pillow", "numpy"];

/** What a plan is asked for. */
export interface PlanRequest {
  readonly via?: Way;
  readonly python?: string;
  readonly variant?: Variant;
}

/**
 * Chooses how to make an environment: as asked; else conda-family where there is one, the distribution's packages
 * for root on Debian and Ubuntu, a virtual environment elsewhere. Rejects with `SETUP_FAILED` when the asked way is
 * not open on this machine.
 */
export async function makePlan(asked: PlanRequest, machine: Machine): Promise<Plan> {
  const { via, python, variant } = asked;
  if (variant !== undefined && via !== undefined && via !== "conda") {
    throw new IsotorchError(
      "INVALID_OPTION",
      `--variant chooses a conda environment, not one of --via ${via}.`,
      {
        hint: `isotorch setup --via conda --variant ${variant}`,
      },
    );
  }
  if (python !== undefined && via !== undefined && via !== "venv") {
    throw new IsotorchError(
      "INVALID_OPTION",
      `--python names the base of a virtual environment, not of --via ${via}.`,
      {
        hint: `isotorch setup --via venv --python ${quoted(python)}`,
      },
    );
  }
  if (via === "venv" || python !== undefined) return planVenv(python, "asked for", machine);
  if (via === "conda" || variant !== undefined) return planConda("asked for", variant, machine);
  if (via === "apt") return planApt("asked for", machine);
  const manager = await findManager(machine.at);
  if (manager && hasBuilds(machine)) return planConda(`${manager.kind} is here`, undefined, machine);
  const apt =
    isDebianLike(machine.osRelease) && machine.isRoot && (await whichCommand("apt-get", machine.at));
  if (apt) return planApt("root on Debian or Ubuntu", machine);
  return planVenv(undefined, "neither conda nor a distribution's packages are open to this user", machine);
}

async function planApt(why: string, machine: Machine): Promise<Plan> {
  const apt = await whichCommand("apt-get", machine.at);
  if (!apt) throw notOpen("apt", "apt-get is not on the PATH", "isotorch setup --via venv");
  if (!machine.isRoot)
    throw notOpen("apt", "it needs root", `sudo apt-get install ${APT_PACKAGES.join(" ")}`);
  const env = { DEBIAN_FRONTEND: "noninteractive" };
  const install = ["-o", "DPkg::Lock::Timeout=60", "install", "-y", "--no-install-recommends"];
  return {
    via: "apt",
    why,
    // Without a fresh list the packages may still be there, or be known from before.
    steps: [
      { file: apt, args: ["update"], env, mayFail: true },
      { file: apt, args: [...install, ...APT_PACKAGES], env },
      { file: apt, args: [...install, QUICK_BLAS], env, mayFail: true },
    ],
    python: machine.distributionPython,
  };
}

async function planVenv(base: string | undefined, why: string, machine: Machine): Promise<Plan> {
  const { at } = machine;
  const python = await newestPython(base, at);
  const folder = venvDirectory(at);
  const inside = venvPython(folder, at);
  const pip = ["-m", "pip", "install", "--disable-pip-version-check", "--no-input", ...PIP_PACKAGES];
  return {
    via: "venv",
    why,
    steps: [
      { file: python, args: ["-m", "venv", folder] },
      { file: inside, args: pip },
    ],
    python: inside,
  };
}

function isDebianLike(osRelease: string): boolean {
  return /^ID(_LIKE)?=.*\b(debian|ubuntu)\b/m.test(osRelease);
}
