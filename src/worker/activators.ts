/** What has to be run to learn an environment's activation: its manager, and the scripts that its packages bring. */
import { randomUUID } from "node:crypto";
import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { whichCommand } from "./candidates.ts";
import { runCommand } from "./command.ts";
import { isRecord, parseRecord } from "../base/json.ts";
import { findManager, type Manager } from "./managers.ts";
import { type Surroundings, searchPath } from "./surroundings.ts";

/** The changes that an activation makes. */
export interface Told {
  readonly variables: Readonly<Record<string, string>>;
  /** Directories that go in front of the search path, first first. */
  readonly front: readonly string[];
  /** Whether the scripts of the packages are in it already. */
  readonly hasRunScripts: boolean;
}

const MANAGER_TIMEOUT_MS = 10_000;
const SCRIPTS_TIMEOUT_MS = 10_000;
/** Variables of a shell itself, which a script does not mean to set. */
const SHELL_OWN = new Set(["_", "PWD", "OLDPWD", "SHLVL", "PS1", "PROMPT"]);

/** What the environment's manager answers; `undefined` where it has no manager that tells its activation as data. */
export async function askManager(prefix: string, at: Surroundings): Promise<Told | undefined> {
  const pixi = parseRecord(
    await readFile(at.path.join(prefix, "conda-meta", "pixi"), "utf8").catch(() => ""),
  );
  if (typeof pixi["manifest_path"] === "string") return askPixi(prefix, pixi, at);
  const conda = await findManager(at, ["conda"]);
  return conda && askConda(conda, prefix, at);
}

async function askConda({ file }: Manager, prefix: string, at: Surroundings): Promise<Told | undefined> {
  const shell = at.platform === "win32" ? "shell.cmd.exe+json" : "shell.posix+json";
  const { code, stdout } = await runCommand(file, [shell, "activate", prefix], {
    env: notActivated(at.environ),
    timeoutMs: MANAGER_TIMEOUT_MS,
  });
  const answer = code === 0 ? parseRecord(stdout) : {};
  const vars = isRecord(answer["vars"]) ? texts(answer["vars"]["export"]) : {};
  const list = isRecord(answer["path"]) ? answer["path"]["PATH"] : undefined;
  if (!Array.isArray(list) || vars["CONDA_PREFIX"] === undefined) return undefined;
  const front = list.map(String).filter((folder) => isInside(folder, prefix, at));
  // What is for prompts, and for `conda deactivate`, is none of a process's business.
  const kept = Object.entries(vars).filter(
    ([name]) => !/^(?:PATH|CONDA_SHLVL|CONDA_PROMPT_MODIFIER|CONDA_PREFIX_\d+|_CE_.*)$/i.test(name),
  );
  return front.length > 0 ? { variables: Object.fromEntries(kept), front, hasRunScripts: false } : undefined;
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
  const { code, stdout } = await runCommand(file, args, {
    env: notActivated(at.environ),
    timeoutMs: MANAGER_TIMEOUT_MS,
  });
  const vars = code === 0 ? texts(parseRecord(stdout)["environment_variables"]) : {};
  const path = Object.entries(vars).find(([variable]) => variable.toUpperCase() === "PATH");
  if (!path) return undefined;
  const front = path[1].split(at.path.delimiter).filter((folder) => isInside(folder, prefix, at));
  const kept = Object.entries(vars).filter(
    ([variable]) => variable !== path[0] && variable !== "PIXI_PROMPT",
  );
  return { variables: Object.fromEntries(kept), front, hasRunScripts: true };
}

/** What scripts changed, or why that is not known. */
export interface ScriptsRun {
  readonly variables: Readonly<Record<string, string>>;
  readonly front: readonly string[];
  readonly complaint: string | null;
}

/** What the scripts of `etc/conda/activate.d` change, over what is set already; `undefined` where there are none. */
export async function runScripts(
  prefix: string,
  told: Told,
  at: Surroundings,
): Promise<ScriptsRun | undefined> {
  const { path, platform, environ } = at;
  const folder = path.join(prefix, "etc", "conda", "activate.d");
  const ending = platform === "win32" ? ".bat" : ".sh";
  const names = (await readdir(folder).catch(() => [])).filter((name) => name.endsWith(ending)).toSorted();
  if (names.length === 0) return undefined;
  const scripts = names.map((name) => path.join(folder, name));
  const search = searchPath(environ);
  const before: NodeJS.ProcessEnv = {
    ...notActivated(environ),
    ...told.variables,
    [search.name]: [...told.front, search.value].join(path.delimiter),
  };
  const mark = randomUUID();
  const batch = platform === "win32" ? path.join(tmpdir(), `isotorch-${mark}.bat`) : undefined;
  if (batch) await writeFile(batch, batchText(scripts, mark));
  const [shell, words] = batch ? [batch, []] : posixShell(scripts, mark);
  const { code, stdout } = await runCommand(shell, words, {
    env: { ...before, ISOTORCH_NODE: process.execPath },
    timeoutMs: SCRIPTS_TIMEOUT_MS,
  });
  if (batch) await rm(batch, { force: true });
  const after = code === 0 ? texts(parseRecord(stdout.split(mark)[1] ?? "")) : {};
  if (Object.keys(after).length === 0) {
    const complaint = `The activation scripts in ${folder} did not run to their end, and what they set is missing.`;
    return { variables: {}, front: [], complaint };
  }
  const changed = Object.entries(after).filter(
    ([name, value]) => before[name] !== value && !SHELL_OWN.has(name) && name !== "ISOTORCH_NODE",
  );
  const searched = after[search.name] ?? "";
  const added = searched.endsWith(before[search.name] ?? "")
    ? searched.slice(0, searched.length - (before[search.name] ?? "").length).split(path.delimiter)
    : [];
  return {
    variables: Object.fromEntries(changed.filter(([name]) => name !== search.name)),
    front: added.filter(Boolean),
    complaint: null,
  };
}

/** A shell that sources the scripts and then lets Node print what the variables have become. */
function posixShell(scripts: readonly string[], mark: string): [file: string, args: string[]] {
  const body =
    'node=$ISOTORCH_NODE; for script in "$@"; do . "$script" >/dev/null; done; "$node" -e "$print"';
  return ["/bin/sh", ["-c", `print=$1; shift; ${body}`, "sh", printing(mark), ...scripts]];
}

/** The same as a file for `cmd.exe`. */
function batchText(scripts: readonly string[], mark: string): string {
  const calls = scripts.map((script) => `call "${script.replaceAll("%", "%%")}" >nul`);
  return ["@echo off", ...calls, `"%ISOTORCH_NODE%" -e "${printing(mark)}"`, ""].join("\r\n");
}

function printing(mark: string): string {
  return `process.stdout.write('${mark}'+JSON.stringify(process.env)+'${mark}')`;
}

/** The environment as it is before any activation. */
function notActivated(environ: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(environ).filter(
      ([name]) => !/^(?:CONDA_PREFIX(?:_\d+)?|CONDA_SHLVL|CONDA_DEFAULT_ENV)$/.test(name),
    ),
  );
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
