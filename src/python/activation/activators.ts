/** Asks an environment's manager for its activation, as data. */
import { readJson } from "../../base/files/files.ts";
import { recordIn } from "../answer.ts";
import { whichCommand } from "../candidates.ts";
import { runCommand } from "../command.ts";
import { isRecord } from "../../base/files/json.ts";
import { findManager, type Manager } from "../conda/managers.ts";
import { askOutside, isUsers, notActivated, type Variables } from "./shell.ts";
import type { Surroundings } from "../surroundings.ts";

/** The changes that an activation makes. */
export interface Told {
  readonly variables: Readonly<Record<string, string>>;
  /** Directories that go in front of the search path, first first. */
  readonly front: readonly string[];
  /** Whether the scripts of the packages are in it already. */
  readonly hasRunScripts: boolean;
  /** The variables of the shell that it holds of, as of {@link askOutside}. */
  readonly looks: Variables;
}

const MANAGER_TIMEOUT_MS = 10_000;
/** Of what conda notes for itself, what packages and programs ask for. */
const MEANT = new Set(["CONDA_PREFIX", "CONDA_DEFAULT_ENV"]);
/** Where pixi keeps its things, if not in the usual places. */
const OF_PIXI = /^(?:PIXI_HOME|PIXI_CACHE_DIR|RATTLER_\w+|XDG_\w+)$/;

/** What the environment's manager answers; `undefined` where it has no manager that tells its activation as data. */
export async function askManager(prefix: string, at: Surroundings): Promise<Told | undefined> {
  const pixi = await readJson(at.path.join(prefix, "conda-meta", "pixi"));
  if (typeof pixi["manifest_path"] === "string") return askPixi(prefix, pixi, at);
  const conda = await findManager(at, ["conda"]);
  return conda && askConda(conda, prefix, at);
}

async function askConda({ file }: Manager, prefix: string, at: Surroundings): Promise<Told | undefined> {
  const shell = at.platform === "win32" ? "shell.cmd.exe+json" : "shell.posix+json";
  const { code, bytes } = await runCommand(file, [shell, "activate", prefix], {
    env: notActivated(at),
    timeoutMs: MANAGER_TIMEOUT_MS,
  });
  const answer = (code === 0 && recordIn(bytes).record) || {};
  const vars = isRecord(answer["vars"]) ? texts(answer["vars"]["export"]) : {};
  const list = isRecord(answer["path"]) ? answer["path"]["PATH"] : undefined;
  if (!Array.isArray(list) || vars["CONDA_PREFIX"] === undefined) return undefined;
  const front = list.map(String).filter((folder) => isInside(folder, prefix, at));
  // What is for prompts, and for `conda deactivate`, is none of a process's business.
  const kept = Object.entries(vars).filter(([name]) => MEANT.has(name) || (isUsers(name) && !isPath(name)));
  const variables = Object.fromEntries(kept);
  return front.length > 0 ? { variables, front, hasRunScripts: false, looks: {} } : undefined;
}

async function askPixi(
  prefix: string,
  pixi: Record<string, unknown>,
  at: Surroundings,
): Promise<Told | undefined> {
  const file = await whichCommand("pixi", at);
  if (!file) return undefined;
  const manifest = String(pixi["manifest_path"]);
  const name = typeof pixi["environment_name"] === "string" ? pixi["environment_name"] : "default";
  const args = ["shell-hook", "--json", "--no-install", "--manifest-path", manifest, "--environment", name];
  const elsewhere = Object.fromEntries(
    Object.entries(notActivated(at)).filter(([variable]) => OF_PIXI.test(variable)),
  );
  const ask = async (environ: Variables): Promise<Omit<Told, "looks"> | undefined> => {
    const { code, bytes } = await runCommand(file, args, {
      env: { ...environ, ...elsewhere },
      timeoutMs: MANAGER_TIMEOUT_MS,
    });
    const answer = code === 0 ? recordIn(bytes).record : undefined;
    return answer && toldByPixi(texts(answer["environment_variables"]), prefix, at);
  };
  const outside = await askOutside(ask, at);
  return outside && { ...outside.result, looks: outside.looks };
}

function toldByPixi(vars: Variables, prefix: string, at: Surroundings): Omit<Told, "looks"> | undefined {
  const path = Object.entries(vars).find(([variable]) => isPath(variable));
  if (!path) return undefined;
  const front = path[1].split(at.path.delimiter).filter((folder) => isInside(folder, prefix, at));
  const kept = Object.entries(vars).filter(
    ([variable]) => !isPath(variable) && (MEANT.has(variable) || isUsers(variable)),
  );
  return { variables: Object.fromEntries(kept), front, hasRunScripts: true };
}

function isPath(name: string): boolean {
  return name.toUpperCase() === "PATH";
}

function isInside(folder: string, prefix: string, { path }: Surroundings): boolean {
  const relative = path.relative(prefix, folder);
  return !relative.startsWith("..") && !path.isAbsolute(relative);
}

function texts(value: unknown): Record<string, string> {
  if (!isRecord(value)) return {};
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, item]) => typeof item === "string" || typeof item === "number")
      .map(([name, item]) => [name, String(item)]),
  );
}
