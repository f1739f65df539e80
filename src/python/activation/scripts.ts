/** The scripts that the packages of a conda environment bring for its activation. */
import { readdir, readFile } from "node:fs/promises";
import type { Told } from "./activators.ts";
import { askOutside, isUsers, type Variables } from "./shell.ts";
import { shellFor, source, type Shell } from "./sourcing.ts";
import type { Surroundings } from "../surroundings.ts";

/** What scripts changed, and what of it is not known. */
export interface ScriptsRun {
  readonly variables: Variables;
  /** Directories that they put on the search path. */
  readonly front: readonly string[];
  /** Which scripts failed and how, in sentences; `null` where none did. */
  readonly complaint: string | null;
  /** Whether it would be the same another time: none took too long. */
  readonly isSettled: boolean;
  /** As of {@link askOutside}. */
  readonly looks: Variables;
}

type Run = Omit<ScriptsRun, "looks">;

/**
 * What the scripts of `etc/conda/activate.d` change, over what is set already; `undefined` where there are none. A
 * script that fails costs only what it sets itself, and is named in the complaint.
 */
export async function runScripts(
  prefix: string,
  told: Told,
  at: Surroundings,
): Promise<ScriptsRun | undefined> {
  const { path, platform } = at;
  const folder = path.join(prefix, "etc", "conda", "activate.d");
  const ending = platform === "win32" ? /\.bat$/i : /\.sh$/;
  const names = (await readdir(folder).catch(() => [])).filter((name) => ending.test(name)).toSorted();
  if (names.length === 0) return undefined;
  const scripts = names.map((name) => path.join(folder, name));
  const texts = await Promise.all(scripts.map((script) => readFile(script, "utf8").catch(() => "")));
  const shell = await shellFor(at);
  const ask = (environ: Variables): Promise<Run> => runAll(scripts, shell, environ, told, at);
  const outside = await askOutside(ask, at, { texts, fixed: told.variables });
  return outside && { ...outside.result, looks: outside.looks };
}

/** One after the other, each with what those before it have set. */
async function runAll(
  scripts: readonly string[],
  shell: Shell,
  environ: Variables,
  told: Told,
  { path, platform }: Surroundings,
): Promise<Run> {
  const given: Variables = {
    ...environ,
    ...capitals(told.variables, platform),
    PATH: [...told.front, ...(environ["PATH"] ? [environ["PATH"]] : [])].join(path.delimiter),
  };
  const { after: first, problem: refusal, isHung: isStuck } = await source(undefined, given, shell);
  if (first === undefined) {
    const complaint = `The activation scripts of ${told.variables["CONDA_PREFIX"] ?? "the environment"} cannot be run: ${shell.file} ${refusal}.`;
    return { variables: {}, front: [], complaint, isSettled: !isStuck };
  }
  let current = first;
  const complaints: string[] = [];
  let isSettled = true;
  for (const script of scripts) {
    const { after, problem, isHung } = await source(script, current, shell);
    current = after ?? current;
    isSettled &&= !isHung;
    const lost = after ? "Some of what it sets may be missing" : "What it sets is missing";
    if (problem !== null) complaints.push(`The activation script ${script} ${problem}. ${lost}.`);
  }
  const changed = Object.entries(current).filter(([name, value]) => first[name] !== value && isUsers(name));
  return {
    variables: Object.fromEntries(changed.filter(([name]) => name !== "PATH")),
    front: added(current["PATH"] ?? "", first["PATH"] ?? "", path.delimiter),
    complaint: complaints.length > 0 ? complaints.join(" ") : null,
    isSettled,
  };
}

/** What was put in front of a search path; where it was changed otherwise, the directories that are new in it. */
function added(after: string, before: string, delimiter: string): string[] {
  if (after.endsWith(before)) {
    return after
      .slice(0, after.length - before.length)
      .split(delimiter)
      .filter(Boolean);
  }
  const old = new Set(before.split(delimiter));
  return after.split(delimiter).filter((folder) => folder !== "" && !old.has(folder));
}

function capitals(variables: Variables, platform: NodeJS.Platform): Variables {
  if (platform !== "win32") return variables;
  return Object.fromEntries(Object.entries(variables).map(([name, value]) => [name.toUpperCase(), value]));
}
