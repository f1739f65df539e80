/** Files that others read at the same moment: each is there whole, the old one or the new one. */
import { randomBytes } from "node:crypto";
import { access, chmod, constants, mkdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseRecord } from "./json.ts";

/** How long a file that somebody else holds is waited for. */
export interface Patience {
  /** Milliseconds until the last attempt. @default 20_000 */
  readonly patienceMs?: number;
}

const PATIENCE_MS = 20_000;
const FIRST_WAIT_MS = 10;
const LONGEST_WAIT_MS = 250;
/** What Windows answers while a scanner, an indexer or another reader holds the file. */
const HELD = ["EPERM", "EACCES", "EBUSY"];

/**
 * Renames a file over another one, which may exist. While a scanner or a reader holds either of them, as happens on
 * Windows and on its drives under Linux, it tries again. Rejects with the file system's error: at once where waiting
 * cannot help (the directory cannot be written, a directory is in the way), else after the last attempt.
 */
export async function replaceFile(from: string, to: string, patience?: Patience): Promise<void> {
  await untilFree(to, () => rename(from, to), patience);
}

/** Removes a file, which may be gone already. Tries again as {@link replaceFile} does. */
export async function removeFile(file: string, patience?: Patience): Promise<void> {
  await untilFree(file, () => rm(file, { force: true }), patience);
}

/**
 * Writes a file by way of a temporary one beside it, with the permissions `mode` where that is given. Rejects with the file system's error and leaves nothing behind
 * then.
 */
export async function writeWhole(
  file: string,
  content: string | Uint8Array,
  { mode, ...patience }: Patience & { readonly mode?: number | undefined } = {},
): Promise<void> {
  const temporary = `${file}.${process.pid}-${randomBytes(4).toString("hex")}`;
  try {
    await writeFile(temporary, content, { flag: "wx" });
    if (mode !== undefined) await chmod(temporary, mode);
    await replaceFile(temporary, file, patience);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {});
    throw error;
  }
}

/**
 * Makes a directory and those above it. Rejects with the file system's error, also where Node's own recursive `mkdir`
 * never ends: under /proc a directory that cannot be made is said to miss its parent, which is there.
 */
export async function makeDirectory(directory: string): Promise<void> {
  try {
    await mkdir(directory);
  } catch (error) {
    if ((await stat(directory).catch(() => undefined))?.isDirectory() === true) return;
    const parent = dirname(directory);
    if (!hasCode(error, "ENOENT") || parent === directory) throw error;
    await makeDirectory(parent);
    await mkdir(directory).catch((again: unknown) => {
      // Another process may have made it meanwhile.
      if (!hasCode(again, "EEXIST")) throw again;
    });
  }
}

/** {@link writeWhole} of a value as JSON, in a directory that is made. */
export async function writeJson(file: string, value: object, patience?: Patience): Promise<void> {
  await makeDirectory(dirname(file));
  await writeWhole(file, `${JSON.stringify(value, undefined, 2)}\n`, patience);
}

/** The JSON object in a file; empty where there is none, or it is anything else. Its values are still to be checked. */
export async function readJson(file: string): Promise<Record<string, unknown>> {
  return parseRecord(await readFile(file, "utf8").catch(() => ""));
}

/**
 * Whether a path is a pipe that has a name: opening it waits, beyond every signal, until somebody writes into it. Those
 * that a shell or a parent has opened for this process have their writer already.
 */
export async function isNamedPipe(file: string): Promise<boolean> {
  if (/^\/(?:dev\/(?:fd\/|std)|proc\/)/.test(file)) return false;
  return (await stat(file).catch(() => undefined))?.isFIFO() === true;
}

/** Whether an error is a system error with one of these codes, such as `ENOSPC`. */
export function hasCode(error: unknown, ...codes: readonly string[]): boolean {
  return error instanceof Error && "code" in error && codes.includes(String(error.code));
}

/**
 * Does what may fail because somebody holds the file, again and again. Rejects with the last error: at once where
 * waiting cannot help.
 */
export async function untilFree<T>(
  file: string,
  action: () => Promise<T>,
  { patienceMs = PATIENCE_MS }: Patience = {},
): Promise<T> {
  const end = Date.now() + patienceMs;
  for (let wait = FIRST_WAIT_MS; ; wait = Math.min(2 * wait, LONGEST_WAIT_MS)) {
    try {
      return await action();
    } catch (error) {
      if (Date.now() >= end || !(await mayPass(error, file))) throw error;
      await sleep(wait);
    }
  }
}

async function mayPass(problem: unknown, file: string): Promise<boolean> {
  if (!hasCode(problem, ...HELD)) return false;
  // The same codes for what no waiting mends.
  if ((await stat(file).catch(() => undefined))?.isDirectory() === true) return false;
  return access(dirname(file), constants.W_OK).then(
    () => true,
    () => false,
  );
}
