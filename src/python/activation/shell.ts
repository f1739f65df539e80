/**
 * The variables of the shell that this process was started from: which are the user's own, and which an activation put
 * there. What an environment's scripts set is found out as from a shell in which nothing is active.
 */
import { createHash } from "node:crypto";
import type { Surroundings } from "../surroundings.ts";

/** Variables by name; on Windows, where case does not count, in capitals. */
export type Variables = Readonly<Record<string, string>>;

/** What every shell of a user has; of the others a script may see one today and none tomorrow. */
const EVERYWHERE_POSIX = /^(?:PATH|HOME|USER|LOGNAME|SHELL|LANG|LANGUAGE|LC_\w+|TZ|TMPDIR|TERM)$/;
const EVERYWHERE_WINDOWS =
  /^(?:PATH|PATHEXT|COMSPEC|SYSTEMROOT|SYSTEMDRIVE|WINDIR|OS|TEMP|TMP|USERPROFILE|USERNAME|USERDOMAIN|HOMEDRIVE|HOMEPATH|APPDATA|LOCALAPPDATA|PROGRAMDATA|ALLUSERSPROFILE|PUBLIC|COMPUTERNAME|NUMBER_OF_PROCESSORS|PROGRAMFILES.*|PROGRAMW6432|COMMONPROGRAM.*|PROCESSOR_.*)$/;
/** Variables of a shell itself, which a script does not mean to set. */
const SHELL_OWN = /^(?:_|PWD|OLDPWD|SHLVL|PS1|PROMPT|PATHEXT|COMSPEC|ISOTORCH_\w+|ELECTRON_RUN_AS_NODE)$/;
/** What conda, and the scripts of its packages, note for `conda deactivate`. */
const NOTES =
  /^(?:CONDA_(?:PREFIX(?:_\d+)?|SHLVL|DEFAULT_ENV|PROMPT_MODIFIER|STACKED_\d+)|_CE_\w+|PIXI_PROMPT)$/;
/** Files that a shell reads first, whatever it is started for. */
const READ_FIRST = new Set(["BASH_ENV", "ENV"]);
/** What was there before, under the name of its backup. */
const BACKUP = /^(?:CONDA_BACKUP_|_CONDA_SET_|__CONDA_SHLVL_\d+_)(\w+)$|^(\w+)_CONDA_BACKUP$/;

/** What was found out by `ask`, and of which variables of the shell it holds. */
export interface Outside<R> {
  readonly result: R;
  /** A mark of the value of each variable that was looked at, by name; empty for one that is not set. */
  readonly looks: Variables;
}

/**
 * Asks what an activation sets, independent of what is active now: first where only what every shell has is there.
 * Where the user has variables of their own that `ask` or the `texts` of its scripts speak of, once more with these,
 * without what an activation has put among them: it may well put something in front of them.
 *
 * @param fixed variables that `ask` sets itself, whatever they were.
 */
export async function askOutside<R extends { readonly variables: Variables }>(
  ask: (environ: Variables) => Promise<R | undefined>,
  at: Surroundings,
  { texts = [], fixed = {} }: { readonly texts?: readonly string[]; readonly fixed?: Variables } = {},
): Promise<Outside<R> | undefined> {
  const environ = variablesOf(at);
  const bare = pick(environ, (name) => isEverywhere(name, at));
  const first = await ask(bare);
  if (first === undefined) return undefined;
  const spoken = new Set([...texts.flatMap((text) => namesIn(text, at)), ...Object.keys(first.variables)]);
  const names = [...spoken].filter((name) => isUsers(name) && name !== "PATH" && !(name in fixed));
  const own = ownVariables(environ, first.variables, at);
  const isMine = names.some((name) => own[name] !== undefined && own[name] !== bare[name]);
  const result = isMine ? await ask(own) : first;
  const looks = Object.fromEntries(names.toSorted().map((name) => [name, markOf(own[name])]));
  return result && { result, looks };
}

/** Whether what was found out holds in this shell too, or is in force in it already. */
export function holdsHere(
  { looks, variables }: { readonly looks: Variables; readonly variables: Variables },
  at: Surroundings,
): boolean {
  const names = Object.entries(looks);
  if (names.length === 0) return true;
  const environ = variablesOf(at);
  const own = ownVariables(environ, variables, at);
  return names.every(
    ([name, mark]) =>
      markOf(own[name]) === mark || (environ[name] !== undefined && environ[name] === variables[name]),
  );
}

/** Whether a variable is the user's, or may be set for them: no note of conda's, none of the shell's own. */
export function isUsers(name: string): boolean {
  return !SHELL_OWN.test(name) && !NOTES.test(name) && !BACKUP.test(name);
}

/** The environment as it is before any activation, as far as its notes tell. */
export function notActivated(at: Surroundings): Variables {
  return ownVariables(variablesOf(at), {}, at);
}

/** The variables of this machine that are set. */
export function variablesOf({ environ, platform }: Surroundings): Variables {
  const all = Object.entries(environ).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return Object.fromEntries(
    platform === "win32" ? all.map(([name, value]) => [name.toUpperCase(), value]) : all,
  );
}

/** The environment without what an activation has set in it, and with what it had put aside. */
function ownVariables(environ: Variables, set: Variables, { path: { delimiter } }: Surroundings): Variables {
  const own: Record<string, string> = {};
  for (const [name, value] of Object.entries(environ)) {
    const mine = withoutFront(value, set[name], delimiter);
    const isNote = NOTES.test(name) || BACKUP.test(name) || READ_FIRST.has(name);
    if (!isNote && mine !== undefined) own[name] = mine;
  }
  for (const [name, value] of Object.entries(environ)) {
    const [isBackup, front, back] = BACKUP.exec(name) ?? [];
    const backed = front ?? back;
    if (isBackup && backed !== undefined && value !== "") own[backed] = value;
  }
  return own;
}

/** What of a value is left without what was put in its place, or in front of it. */
function withoutFront(value: string, front: string | undefined, delimiter: string): string | undefined {
  if (front === undefined || front === "") return value;
  if (value === front) return undefined;
  const whole = front.endsWith(delimiter) ? front : front + delimiter;
  return value.startsWith(whole) ? value.slice(whole.length) : value;
}

function isEverywhere(name: string, { platform }: Surroundings): boolean {
  return (platform === "win32" ? EVERYWHERE_WINDOWS : EVERYWHERE_POSIX).test(name);
}

/** The variables that a script reads or sets, as far as its text tells. */
function namesIn(text: string, { platform }: Surroundings): string[] {
  const patterns =
    platform === "win32"
      ? [/[%!](\w+)(?::[^%!\r\n]*)?[%!]/g, /\bset\s+(?:\/[ap]\s+)?"?(\w+)=/gi, /\bdefined\s+"?(\w+)/gi]
      : [/\$\{?[#!]?([A-Za-z_]\w*)/g, /(?<![\w$])([A-Za-z_]\w*)\+?=/g, /-v\s+"?([A-Za-z_]\w*)/g];
  const found = patterns.flatMap((pattern) => [...text.matchAll(pattern)].map(([, name = ""]) => name));
  return platform === "win32" ? found.map((name) => name.toUpperCase()) : found;
}

function pick(variables: Variables, isWanted: (name: string) => boolean): Variables {
  return Object.fromEntries(Object.entries(variables).filter(([name]) => isWanted(name)));
}

/** A value is not written down: it may be a secret. */
function markOf(value: string | undefined): string {
  return value === undefined ? "" : createHash("sha256").update(value).digest("hex").slice(0, 16);
}
