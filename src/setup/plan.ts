import { readFile } from "node:fs/promises";
import { arch } from "node:os";
import { fileURLToPath } from "node:url";
import { IsotorchError } from "../errors.ts";
import { ENVIRONMENT_NAME, venvPython, whichCommand } from "../worker/candidates.ts";
import { quoted, runCommand } from "../worker/command.ts";
import { condaPython } from "../worker/conda.ts";
import { parseRecord } from "../worker/json.ts";
import { type Surroundings, venvDirectory } from "../worker/surroundings.ts";
import { newestPython } from "./interpreters.ts";

/** The ways of making an environment. */
export const WAYS = ["apt", "venv", "conda"] as const;
/** A way of making an environment. */
export type Way = (typeof WAYS)[number];

/** One command of a plan. */
export interface Step {
  readonly file: string;
  readonly args: readonly string[];
  /** Environment variables over the present ones. */
  readonly env?: Readonly<Record<string, string>>;
  /** Whether the plan goes on when it fails: a later step tells whether it mattered. */
  readonly mayFail?: boolean;
}

/** What `setup` is going to do, before it does it. */
export interface Plan {
  readonly via: Way;
  /** Why this way, one clause. */
  readonly why: string;
  readonly steps: readonly Step[];
  /** Where the interpreter will be; `undefined` where only the tool that makes it can tell. */
  readonly python: string | undefined;
}

/** What decides about a plan, besides the surroundings. */
export interface Machine {
  readonly at: Surroundings;
  readonly isRoot: boolean;
  /** Text of /etc/os-release, empty where there is none. */
  readonly osRelease: string;
  /** Interpreters of the distribution are here. @default "/usr/bin/python3" */
  readonly distributionPython: string;
  readonly arch: string;
}

const APT_PACKAGES = [
  "python3-torch",
  "python3-torchvision",
  "python3-zmq",
  "python3-msgpack",
  "python3-pil",
];
const PIP_PACKAGES = ["torch", "torchvision", "pyzmq", "msgpack", "pillow", "numpy"];
const CONDA_TOOLS = ["mamba", "micromamba", "conda"];
/** The conda-family environment file that is part of the package. */
export const ENV_FILE: string = fileURLToPath(new URL("../../env.yml", import.meta.url));

/** This machine. */
export async function thisMachine(at: Surroundings): Promise<Machine> {
  return {
    at,
    isRoot: process.getuid?.() === 0,
    osRelease: await readFile("/etc/os-release", "utf8").catch(() => ""),
    distributionPython: "/usr/bin/python3",
    arch: arch(),
  };
}

/**
 * Chooses how to make an environment: as asked; else conda-family where there is one, the distribution's packages
 * for root on Debian and Ubuntu, a virtual environment elsewhere. Rejects with `SETUP_FAILED` when the asked way is
 * not open on this machine.
 */
export async function makePlan(asked: { via?: Way; python?: string }, machine: Machine): Promise<Plan> {
  const { via, python } = asked;
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
  if (via === "conda") return planConda("asked for", machine);
  if (via === "apt") return planApt("asked for", machine);
  if ((await condaTool(machine.at)) && hasCondaBuilds(machine)) return planConda("conda is here", machine);
  const apt =
    isDebianLike(machine.osRelease) && machine.isRoot && (await whichCommand("apt-get", machine.at));
  if (apt) return planApt("root on Debian or Ubuntu", machine);
  return planVenv(undefined, "neither conda nor a distribution's packages are open to this user", machine);
}

/** A step as one would type it. */
export function typed({ file, args, env = {} }: Step): string {
  const assignments = Object.entries(env).map(([name, value]) => `${name}=${quoted(value)}`);
  return [...assignments, quoted(file), ...args.map(quoted)].join(" ");
}

async function planApt(why: string, machine: Machine): Promise<Plan> {
  const apt = await whichCommand("apt-get", machine.at);
  if (!apt) throw notOpen("apt", "apt-get is not on the PATH", "isotorch setup --via venv");
  if (!machine.isRoot)
    throw notOpen("apt", "it needs root", `sudo apt-get install ${APT_PACKAGES.join(" ")}`);
  const env = { DEBIAN_FRONTEND: "noninteractive" };
  const install = [
    "-o",
    "DPkg::Lock::Timeout=60",
    "install",
    "-y",
    "--no-install-recommends",
    ...APT_PACKAGES,
  ];
  return {
    via: "apt",
    why,
    // Without a fresh list the packages may still be there, or be known from before.
    steps: [
      { file: apt, args: ["update"], env, mayFail: true },
      { file: apt, args: install, env },
    ],
    python: machine.distributionPython,
  };
}

async function planConda(why: string, { at }: Machine): Promise<Plan> {
  const tool = await condaTool(at);
  if (!tool)
    throw notOpen("conda", "none of mamba, micromamba and conda is on the PATH", "isotorch setup --via venv");
  const existing = await condaEnvironment(tool, at);
  const verb = existing ? "update" : "create";
  const words = at.path.basename(tool).startsWith("micromamba") ? [verb] : ["env", verb];
  return {
    via: "conda",
    why,
    // The flag for "yes" differs between the tools and their ages; the variables do not.
    steps: [
      {
        file: tool,
        args: [...words, "-n", ENVIRONMENT_NAME, "-f", ENV_FILE],
        env: { CONDA_ALWAYS_YES: "true", MAMBA_ALWAYS_YES: "true" },
      },
    ],
    python: existing && condaPython(existing, at),
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

/** The prefix of the environment that the tool knows by our name. */
export async function condaEnvironment(tool: string, at: Surroundings): Promise<string | undefined> {
  const result = await runCommand(tool, ["env", "list", "--json"], { env: at.environ, timeoutMs: 30_000 });
  const { envs } = parseRecord(result.stdout);
  const prefixes = Array.isArray(envs) ? envs.map(String) : [];
  return prefixes.find((prefix) => at.path.basename(prefix) === ENVIRONMENT_NAME);
}

async function condaTool(at: Surroundings): Promise<string | undefined> {
  for (const name of CONDA_TOOLS) {
    const tool = await whichCommand(name, at);
    if (tool) return tool;
  }
  return undefined;
}

/** cudatoolkit 11.3 was built for these alone. */
function hasCondaBuilds({ at, arch: cpu }: Machine): boolean {
  return cpu === "x64" && (at.platform === "linux" || at.platform === "win32");
}

function isDebianLike(osRelease: string): boolean {
  return /^ID(_LIKE)?=.*\b(debian|ubuntu)\b/m.test(osRelease);
}

function notOpen(via: Way, reason: string, instead: string): IsotorchError {
  return new IsotorchError("SETUP_FAILED", `--via ${via} is not possible here: ${reason}.`, {
    hint: `Instead: ${instead}`,
  });
}
