import { stat } from "node:fs/promises";
import { IsotorchError } from "../errors.ts";
import { type EnvironmentKind, type Place, places, venvPython, whichCommand } from "./candidates.ts";
import { activated, activationOf, NO_ACTIVATION } from "./activation.ts";
import { condaPrefixes, condaPython, prefixOf } from "./conda.ts";
import { type PrefixContents, readPrefix, refusalOf } from "./prefix.ts";
import { askPython, judge, type ProbeRefusal } from "./probe.ts";
import { forget, recall, remember, type Remembered } from "./remembered.ts";
import { surroundings, type Surroundings } from "./surroundings.ts";

/** A Python that can run the worker. */
export interface Environment {
  /** Absolute path of the interpreter to launch. */
  readonly python: string;
  readonly kind: EnvironmentKind;
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
 * that `isotorch setup` recorded, conda-family environments, the system's interpreters. What was asked for and is
 * not fit is an error at once and nothing else is tried.
 *
 * Rejects with `ENVIRONMENT_NOT_FOUND` (its message has every candidate with its reason), `ENVIRONMENT_BROKEN`
 * (what was asked for exists and is not fit), `INVALID_OPTION` or `ABORTED`.
 */
export async function findEnvironment(options: EnvironmentOptions = {}): Promise<Environment> {
  const at = surroundings(options.at);
  const asked = await askedFor(options, at);
  if (asked) return mustFit(await examine(asked, options, at));
  const refused: string[] = [];
  for await (const place of places(at)) {
    const candidate = await examine(place, options, at);
    if (candidate.accepted) return candidate.environment;
    refused.push(`\n  ${candidate.python} (${candidate.source}): ${candidate.reason}`);
  }
  const tried = refused.length > 0 ? ` Tried:${refused.join("")}` : " No Python was found at all.";
  throw new IsotorchError("ENVIRONMENT_NOT_FOUND", `No Python here can run the worker.${tried}`, {
    hint: "Run `npx isotorch setup` to make an environment, or name one with ISOTORCH_PYTHON=/path/to/python",
  });
}

/**
 * Every candidate with its verdict, in the order in which {@link findEnvironment} tries them; the first accepted one
 * is what it would choose. When an interpreter is asked for, it is the only one. Errors as for an option that
 * cannot be understood; an unfit interpreter is no error here.
 */
export async function listCandidates(options: EnvironmentOptions = {}): Promise<Candidate[]> {
  const at = surroundings(options.at);
  const asked = await askedFor(options, at);
  const list: Place[] = asked ? [asked] : [];
  if (!asked) for await (const place of places(at)) list.push(place);
  return Promise.all(list.map((place) => examine(place, options, at)));
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
  const environment = { ...outcome.probe, kind: place.kind, variables, complaint, recalled: !!recalled };
  return { ...place, contents, accepted: true, environment };
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

function mustFit(candidate: Candidate): Environment {
  if (candidate.accepted) return candidate.environment;
  const { python, source, reason } = candidate;
  throw new IsotorchError(
    candidate.exists ? "ENVIRONMENT_BROKEN" : "ENVIRONMENT_NOT_FOUND",
    `The Python named by ${source} cannot run the worker: ${python} ${candidate.exists ? `(${reason})` : reason}.`,
    {
      hint: reason.includes(" without ")
        ? `Install what is missing with \`${python} -m pip install torch torchvision pyzmq msgpack pillow numpy\`, or take ${source} away and run \`npx isotorch setup\``
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

/** A prefix, which may be conda's or a virtual environment's, or the name of an environment in a known root. */
async function interpreterOf(env: string, at: Surroundings): Promise<string> {
  const isName = !/[\\/]/.test(env);
  const prefixes = isName ? await condaPrefixes(env, at) : [at.path.resolve(env)];
  const inside = prefixes.flatMap((prefix) => [condaPython(prefix, at), venvPython(prefix, at)]);
  for (const python of inside) if (await stat(python).catch(() => undefined)) return python;
  if (!isName) return inside[0] ?? env;
  throw new IsotorchError("ENVIRONMENT_NOT_FOUND", `No conda environment is named ${JSON.stringify(env)}.`, {
    hint: "Give its path instead (`conda env list` prints it), or run `npx isotorch setup`",
  });
}
