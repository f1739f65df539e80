import { shown, shownValue } from "../base/text/shown.ts";
import { stat } from "node:fs/promises";
import { IsotorchError } from "../base/errors.ts";
import {
  type EnvironmentKind,
  type Place,
  isSameEnvironment,
  places,
  venvPython,
  whichCommand,
} from "./candidates.ts";
import { activated, activationOf, NO_ACTIVATION } from "./activation/activation.ts";
import { condaPrefixes, condaPython, prefixOf, ROOT_NAMES } from "./conda/conda.ts";
import { damagedError, dayOf, installing, type Lost, lostError } from "./lost.ts";
import { askInfo, findManager } from "./conda/managers.ts";
import { type PrefixContents, readPrefix, refusalOf } from "./conda/prefix.ts";
import { askPython, judge, type ProbeRefusal } from "./probe.ts";
import { isRecordDamaged, recordFile } from "./recorded.ts";
import { forget, recall, remember, type Remembered } from "./remembered.ts";
import { registeredPythons } from "./conda/registry.ts";
import { surroundings, type Surroundings } from "./surroundings.ts";
import { readUsed, usedFile } from "./used.ts";

/** A Python that can run the worker. */
export interface Environment {
  /** Absolute path of the interpreter to launch. */
  readonly python: string;
  readonly kind: EnvironmentKind;
  /** What names it: an option, a variable, a file, a directory. */
  readonly source: string;
  /** Why this one was chosen, one clause. */
  readonly reason: string;
  /** Its `sys.prefix`. */
  readonly prefix: string;
  /** Versions by name: `python`, `torch`, `torchvision`, `pillow`, `pyzmq`, `msgpack`, `numpy`. */
  readonly versions: Record<string, string>;
  /** Environment variables to set for the worker, over the present ones: conda's activation. Else empty. */
  readonly variables: Record<string, string>;
  /** What went wrong with its activation, so that a variable may be missing: a sentence, or `null`. */
  readonly complaint: string | null;
  /** Whether it was not asked this time: it said all this before, and nothing that it depends on has changed. */
  readonly recalled: boolean;
}

/** What the search is told. */
export interface EnvironmentOptions {
  /** Path or name of the interpreter. Nothing else is tried. @default process.env.ISOTORCH_PYTHON */
  readonly python?: string;
  /** Path of a conda-family prefix or virtual environment, or the name of a conda environment. Nothing else is tried. */
  readonly env?: string;
  /** Milliseconds that one interpreter may take to answer. @default 10_000 */
  readonly probeTimeoutMs?: number;
  /** Ask every interpreter anew, whatever it said before. @default false */
  readonly anew?: boolean;
  readonly signal?: AbortSignal;
  /** Another machine to look at, for tests. */
  readonly at?: Partial<Surroundings>;
}

/** An interpreter that was looked at: fit, or refused with the reason, one clause. */
export type Candidate = Place & {
  /** What `conda-meta` says, for an environment of the conda family. */
  readonly contents: PrefixContents | undefined;
} & (
    | { readonly accepted: true; readonly environment: Environment }
    | { readonly accepted: false; readonly reason: string; readonly exists: boolean }
  );

/**
 * The Python that runs the worker, first match wins: `python` or `env` as asked, `ISOTORCH_PYTHON`, the environment
 * that `isotorch setup` recorded, conda-family environments, the system's interpreters. What was asked for, recorded
 * or used before and is not fit is an error, and no other one is taken in its place: it could give other bits.
 *
 * Rejects with `ENVIRONMENT_NOT_FOUND` (it is gone; or nothing fits, then with every candidate and its reason),
 * `ENVIRONMENT_BROKEN` (it exists and is not fit), `INVALID_OPTION` or `ABORTED`.
 */
export async function findEnvironment(options: EnvironmentOptions = {}): Promise<Environment> {
  const at = surroundings(options.at);
  const asked = await askedFor(options, at);
  if (asked) return mustFit(await examine(asked, options, at), at);
  if (await isRecordDamaged(at)) throw damagedError(recordFile(at));
  const refused: string[] = [];
  for await (const place of places(at)) {
    const candidate = await examine(place, options, at);
    const lost = await lostBefore(candidate, options, at);
    if (lost) throw lostError(lost);
    if (candidate.accepted) return candidate.environment;
    refused.push(`\n  ${candidate.python} (${candidate.source}): ${candidate.reason}`);
  }
  const used = await readUsed(at);
  if (used && !refused.some((line) => line.includes(`  ${used.python} (`))) {
    const candidate = await examine(used, options, at);
    const reason = candidate.accepted ? "fits, and nothing names it now" : candidate.reason;
    refused.push(`\n  ${used.python} (used before): ${reason}`);
  }
  const tried = refused.length > 0 ? ` Tried:${refused.join("")}` : " No Python was found at all.";
  throw new IsotorchError("ENVIRONMENT_NOT_FOUND", `No Python here can run the worker.${tried}`, {
    hint: "Run `npx isotorch setup` to make an environment, or name one with ISOTORCH_PYTHON=/path/to/python",
  });
}

/**
 * Every candidate with its verdict, in the order in which {@link findEnvironment} tries them; the first accepted one
 * is what it would choose, unless something is {@link lostAmong} them. When an interpreter is asked for, it is the only
 * one. Errors as for an option that cannot be understood; an unfit interpreter is no error here.
 */
export async function listCandidates(options: EnvironmentOptions = {}): Promise<Candidate[]> {
  const at = surroundings(options.at);
  const asked = await askedFor(options, at);
  const list: Place[] = asked ? [asked] : [];
  if (!asked) for await (const place of places(at)) list.push(place);
  return Promise.all(list.map((place) => examine(place, options, at)));
}

/** The recorded environment, or the one that was used before, if it is the reason why none of these is chosen. */
export async function lostAmong(
  candidates: readonly Candidate[],
  options: EnvironmentOptions = {},
): Promise<Lost | undefined> {
  const at = surroundings(options.at);
  const first = candidates.find(({ kind, accepted }) => accepted || kind === "recorded");
  return first && lostBefore(first, options, at);
}

/**
 * What this candidate would take the place of: the record that it is itself, when it is refused; for one that is
 * accepted the environment that was used before, when that is gone or no longer fit.
 */
async function lostBefore(
  candidate: Candidate,
  options: EnvironmentOptions,
  at: Surroundings,
): Promise<Lost | undefined> {
  if (candidate.kind === "recorded" && !candidate.accepted) {
    const { python, source, reason, exists } = candidate;
    const since = await dayOf(recordFile(at));
    return {
      was: "recorded",
      python,
      source,
      since,
      reason,
      exists,
      condaPrefix: condaPrefixOf(candidate, at),
    };
  }
  if (!candidate.accepted || candidate.kind === "explicit" || candidate.kind === "recorded") return undefined;
  const used = await readUsed(at);
  if (!used || (await isSameEnvironment(used.python, candidate.environment.python, at))) return undefined;
  const before = await examine(used, options, at);
  if (before.accepted) return undefined;
  const { python, source, reason, exists } = before;
  const since = await dayOf(usedFile(at));
  return { was: "used", python, source, since, reason, exists, condaPrefix: condaPrefixOf(before, at) };
}

function condaPrefixOf({ contents, python }: Candidate, at: Surroundings): string | undefined {
  return contents && prefixOf(python, at);
}

/** Whether an environment was recorded or used before: then its absence is a loss, and no matter of course. */
export async function isPreferred(options: EnvironmentOptions = {}): Promise<boolean> {
  const at = surroundings(options.at);
  const notes = [recordFile(at), usedFile(at)].map((file) => stat(file).catch(() => undefined));
  return (await Promise.all(notes)).some((note) => note !== undefined);
}

/** An environment that was recalled has failed: what it said before is thrown away, so that it is asked again. */
export async function forgetEnvironment(
  { python }: Environment,
  options: EnvironmentOptions = {},
): Promise<void> {
  await forget(python, surroundings(options.at));
}

async function examine(place: Place, options: EnvironmentOptions, at: Surroundings): Promise<Candidate> {
  const recalled = options.anew ? undefined : await recall(place.python, at);
  const contents = recalled ? undefined : await readPrefix(prefixOf(place.python, at), at);
  const refused = contents && refusalOf(contents);
  if (refused) return { ...place, contents, accepted: false, reason: refused, exists: true };
  const said = recalled ?? (await ask(place, options, at));
  const outcome = "fit" in said ? said : judge(said.answer);
  if ("fit" in said || !outcome.fit) {
    const { reason, exists } = outcome as ProbeRefusal;
    return { ...place, contents, accepted: false, reason, exists };
  }
  const variables = activated(said.activation, at);
  const { complaint } = said.activation;
  const { kind, source } = place;
  const reason = await reasonFor(place, outcome.probe.python, at);
  const environment = {
    ...outcome.probe,
    kind,
    source,
    reason,
    variables,
    complaint,
    recalled: !!recalled,
  };
  return { ...place, contents, accepted: true, environment };
}

async function reasonFor({ kind, source }: Place, python: string, at: Surroundings): Promise<string> {
  if (kind === "explicit") return `named by ${source}`;
  if (kind === "recorded") return `recorded by ${source}`;
  const used = await readUsed(at);
  if (!used) return `found by ${source}`;
  const before = (await isSameEnvironment(used.python, python, at)) ? used.before : used.python;
  return before === null ? `found by ${source}` : `found by ${source}; before it ${before} was used`;
}

async function ask(
  { python }: Place,
  { signal, probeTimeoutMs }: EnvironmentOptions,
  at: Surroundings,
): Promise<Remembered | ProbeRefusal> {
  const answer = await askPython(python, {
    env: at.environ,
    ...(probeTimeoutMs !== undefined && { timeoutMs: probeTimeoutMs }),
    ...(signal && { signal }),
  });
  if (signal?.aborted) {
    throw new IsotorchError("ABORTED", "The search for a Python environment was aborted.", {
      cause: signal.reason,
    });
  }
  if ("fit" in answer) return answer;
  const isFit = judge(answer).fit;
  const said = { answer, activation: isFit ? await activationOf(answer.prefix, at) : NO_ACTIVATION };
  await remember(python, said, at);
  return said;
}

function mustFit(candidate: Candidate, at: Surroundings): Environment {
  if (candidate.accepted) return candidate.environment;
  const { python, source, reason } = candidate;
  const install = installing(python, reason, condaPrefixOf(candidate, at));
  throw new IsotorchError(
    candidate.exists ? "ENVIRONMENT_BROKEN" : "ENVIRONMENT_NOT_FOUND",
    `The Python named by ${source} cannot run the worker: ${shown(python)} ${candidate.exists ? `(${reason})` : reason}.`,
    {
      hint: install
        ? `${install}, or take ${source} away and run \`npx isotorch setup\``
        : `Correct ${source}, or take it away and run \`npx isotorch setup\``,
    },
  );
}

/** What the caller asked for, by option before variable; `undefined` where the search is free. */
async function askedFor(options: EnvironmentOptions, at: Surroundings): Promise<Place | undefined> {
  if (options.python && options.env) {
    throw new IsotorchError(
      "INVALID_OPTION",
      "`python` and `env` both name an environment; give one of them.",
      {
        hint: `Leave \`env\` away to use ${options.python}`,
      },
    );
  }
  if (options.python) return explicit(await interpreter(options.python, at), "the option `python`");
  if (options.env) return explicit(await interpreterOf(options.env, at), "the option `env`");
  const variable = at.environ["ISOTORCH_PYTHON"];
  return variable ? explicit(await interpreter(variable, at), "ISOTORCH_PYTHON") : undefined;
}

function explicit(python: string, source: string): Place {
  return { python, kind: "explicit", source };
}

async function interpreter(python: string, at: Surroundings): Promise<string> {
  const isName = !/[\\/]/.test(python);
  return (isName && (await whichCommand(python, at))) || at.path.resolve(python);
}

/** Where the registry and the manager itself have an environment of this name; the manager is started. */
async function askedPrefixes(name: string, at: Surroundings): Promise<string[]> {
  const { path } = at;
  const manager = await findManager(at);
  const info = manager && (await askInfo(manager, at));
  const registered = (await registeredPythons(at)).map((python) => prefixOf(python, at));
  const roots = [...(info?.root === undefined ? [] : [info.root]), ...registered];
  const folders = [...(info?.folders ?? []), ...registered.map((root) => path.join(root, "envs"))];
  return [
    ...(ROOT_NAMES.includes(name) ? roots : []),
    ...folders.map((folder) => path.join(folder, name)),
    ...(info?.prefixes ?? []).filter((prefix) => path.basename(prefix) === name),
  ];
}

/** A prefix, which may be conda's or a virtual environment's, or the name of an environment in a known root. */
async function interpreterOf(env: string, at: Surroundings): Promise<string> {
  const isName = !/[\\/]/.test(env);
  const prefixes = isName ? await condaPrefixes(env, at) : [at.path.resolve(env)];
  const inside = prefixes.flatMap((prefix) => [condaPython(prefix, at), venvPython(prefix, at)]);
  for (const python of inside) if (await stat(python).catch(() => undefined)) return python;
  if (!isName) return inside[0] ?? env;
  for (const prefix of await askedPrefixes(env, at)) {
    const python = condaPython(prefix, at);
    if (await stat(python).catch(() => undefined)) return python;
  }
  throw new IsotorchError("ENVIRONMENT_NOT_FOUND", `No conda environment is named ${shownValue(env)}.`, {
    hint: "Give its path instead (`conda env list` prints it), or run `npx isotorch setup`",
  });
}
