import { stat } from "node:fs/promises";
import { lastWords } from "../base/status.ts";
import { hasCode } from "../base/files/files.ts";
import { isRecord } from "../base/files/json.ts";
import { printedRecord } from "./answer.ts";
import { type CommandResult, runCommand } from "./command.ts";
import { scriptArguments, WORKER_SCRIPT } from "./script.ts";

/** What an interpreter says about itself when it can run the worker. */
export interface Probe {
  /** `sys.executable`, absolute: a shim or a launcher has been looked through. */
  readonly python: string;
  readonly prefix: string;
  /** Versions by name: `python` and the distributions that the worker imports. */
  readonly versions: Record<string, string>;
}

/** The reason, one clause, why an interpreter is not fit. */
export interface ProbeRefusal {
  readonly fit: false;
  readonly reason: string;
  readonly exists: boolean;
}

/** A fit interpreter, or why it is not. */
export type ProbeOutcome = { readonly fit: true; readonly probe: Probe } | ProbeRefusal;

/** What an interpreter said, as it said it. */
export interface ProbeAnswer {
  readonly python: string;
  readonly executable: string;
  readonly prefix: string;
  /** By the names that people install: `pillow`, `pyzmq`. */
  readonly versions: Record<string, string>;
  readonly missing: readonly string[];
  /** Packages that the user's own directory has, which the worker leaves out. */
  readonly userSite: { readonly path: string; readonly packages: readonly string[] };
  /** Absolute paths whose change tells that the answer is out of date. */
  readonly watch: readonly string[];
}

/** How an interpreter is probed. */
export interface ProbeOptions {
  /** @default process.env */
  readonly env?: NodeJS.ProcessEnv;
  /** Milliseconds. @default 10_000 */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

/** The oldest Python that the worker runs on. */
export const OLDEST_PYTHON = "3.9";
/** The oldest PyTorch that has what the worker uses. */
export const OLDEST_TORCH = "1.12";
const VERSION_LINE = "import sys; print('.'.join(map(str, sys.version_info[:3])))";

/**
 * Asks an interpreter, without importing torch, what it has: its version and the distributions that the worker
 * needs. Takes about 100 ms, at most `timeoutMs`. Where there is no answer, the refusal says why.
 */
export async function askPython(
  python: string,
  options: ProbeOptions = {},
): Promise<ProbeAnswer | ProbeRefusal> {
  const found = await stat(python).catch(() => undefined);
  if (!found) return { fit: false, reason: "does not exist", exists: false };
  if (!found.isFile()) return unfit("is not a file");
  const run = { env: process.env, timeoutMs: 10_000, ...options };
  const result = await runCommand(python, scriptArguments(WORKER_SCRIPT, "probe"), run);
  if (result.outcome === "not-started") return unfit(`cannot be started (${result.stderr})`);
  if (result.outcome === "aborted") return unfit("the search was aborted");
  if (result.outcome === "timed-out") return unfit(`did not answer within ${run.timeoutMs / 1000} s`);

  const printed = printedRecord(result.bytes);
  const answer = printed.record && parseAnswer(printed.record);
  if (answer) return (await isElsewhere(answer)) ?? { ...answer, executable: answer.executable || python };
  // An old Python cannot even parse the worker, so its version is asked in words that any Python knows.
  const version = await pythonVersion(python, options);
  if (version && isOlder(version, OLDEST_PYTHON)) return unfit(tooOld(version));
  const said = reasonIn(result, printed.record ? "its answer lacks what it is asked for" : printed.broken);
  return unfit(version ? `the probe failed (${said})` : `is not a working Python (${said})`);
}

/** What an answer names has to be there: a path that came in another encoding is not. */
async function isElsewhere({ executable, prefix }: ProbeAnswer): Promise<ProbeRefusal | undefined> {
  for (const path of executable ? [executable, prefix] : [prefix]) {
    const gone = await stat(path).then(
      () => false,
      (error: unknown) => hasCode(error, "ENOENT", "ENOTDIR"),
    );
    if (gone) return unfit(`says that it lives at ${JSON.stringify(path)}, which does not exist`);
  }
  return undefined;
}

function reasonIn({ code, stderr }: CommandResult, broken: string): string {
  if (code === 0) return broken;
  return lastWords(stderr, code);
}

/** The version of a Python of any age, such as `3.11.2`; `undefined` if the file does not run as one. */
export async function pythonVersion(python: string, options: ProbeOptions = {}): Promise<string | undefined> {
  // Python 2 refuses `-X`, and digits are the same in every encoding. No % in it: cmd.exe would expand it for a shim.
  const result = await runCommand(python, ["-E", "-s", "-c", VERSION_LINE], {
    timeoutMs: 10_000,
    ...options,
  });
  const version = result.stdout.trim();
  return result.code === 0 && /^\d+\.\d+\.\d+$/.test(version) ? version : undefined;
}

/** Whether a dotted version comes before another; what follows the numbers, as in `1.13.0a0+git`, does not count. */
export function isOlder(version: string, than: string): boolean {
  const left = numbersOf(version);
  const right = numbersOf(than);
  for (let place = 0; place < right.length; place += 1) {
    const difference = (left[place] ?? 0) - (right[place] ?? 0);
    if (difference !== 0) return difference < 0;
  }
  return false;
}

function numbersOf(version: string): number[] {
  return (/^\d+(\.\d+)*/.exec(version)?.[0] ?? "0").split(".").map(Number);
}

/** Whether an interpreter that answered can run the worker. */
export function judge(answer: ProbeAnswer): ProbeOutcome {
  const { python, executable, prefix, missing } = answer;
  const { torch } = answer.versions;
  if (isOlder(python, OLDEST_PYTHON)) return unfit(tooOld(python));
  if (missing.length > 0) return unfit(`Python ${python} without ${missing.join(", ")}${elsewhere(answer)}`);
  if (torch && /^\d/.test(torch) && isOlder(torch, OLDEST_TORCH))
    return unfit(`torch ${torch} is older than ${OLDEST_TORCH}`);
  return { fit: true, probe: { python: executable, prefix, versions: { ...answer.versions, python } } };
}

/** Where what is missing is all the same, in a place that an ordinary `python` sees and the worker leaves out. */
function elsewhere({ missing, userSite }: ProbeAnswer): string {
  const there = userSite.packages.filter((name) => missing.includes(name));
  return there.length > 0
    ? ` (${there.join(", ")} in the user site ${userSite.path}, which is left out)`
    : "";
}

/** An answer as it is printed or was written down; `undefined` for anything else. */
export function parseAnswer(value: Record<string, unknown>): ProbeAnswer | undefined {
  const { python, executable, prefix, versions, missing, userSite, watch } = value;
  if (typeof python !== "string" || typeof executable !== "string" || typeof prefix !== "string")
    return undefined;
  if (!isRecord(versions) || !Array.isArray(missing)) return undefined;
  const known: Record<string, string> = {};
  for (const [name, version] of Object.entries(versions)) {
    if (typeof version === "string") known[distribution(name)] = version;
  }
  return {
    python,
    executable,
    prefix,
    versions: known,
    missing: namesOf(missing).map(distribution),
    userSite: {
      path: isRecord(userSite) ? String(userSite["path"]) : "",
      packages: isRecord(userSite) ? namesOf(userSite["packages"]).map(distribution) : [],
    },
    watch: namesOf(watch),
  };
}

function unfit(reason: string): ProbeRefusal {
  return { fit: false, reason, exists: true };
}

function tooOld(version: string): string {
  return `Python ${version} is older than ${OLDEST_PYTHON}`;
}

function namesOf(list: unknown): string[] {
  return Array.isArray(list) ? list.map(String) : [];
}

/** The worker speaks of what it imports, people of what they install. */
function distribution(module: string): string {
  return { PIL: "pillow", zmq: "pyzmq" }[module] ?? module;
}
