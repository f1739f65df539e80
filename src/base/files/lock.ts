/**
 * Who may do something now: one process at a time, by a file that both languages read. Twin of
 * python/isotorch_worker/base/lock.py. The lock is the file's existence. Its content is JSON: `pid`, `host`, a random
 * `token`, and what tells the process from every other one (`boot`, `space`, `started`, see {@link Owner}); its owner
 * touches it every five seconds. It is left behind when its owner is gone, however long an owner that is there has been
 * stopped. Where nobody here can know that (another machine, another container, another account), it is left behind
 * when it was not touched for a minute; an owner that was away that long finds out by `isMine`.
 */
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { mkdir, readFile, rmdir, stat, utimes, writeFile } from "node:fs/promises";
import { hasCode, removeFile, untilFree } from "./files.ts";
import { isRunning, thisProcess } from "./owner.ts";
import type { Owner } from "./owner.ts";
import { parseRecord } from "./json.ts";

/** A lock that is held. Releasing it twice is harmless. */
export interface FileLock {
  /**
   * Whether it has not been taken away; asked before every write by whoever may have been stopped for long. At once, so
   * that nothing comes between the answer and the write.
   */
  isMine(): boolean;
  release(): Promise<void>;
}

/** Milliseconds after which a lock of an owner of whom nobody here can know counts as left behind. */
export const STALE_LOCK_MS = 60_000;
const TOUCH_MS = 5_000;
/** A lock is created and then filled; an empty one this young is being filled. */
const FILLING_MS = 5_000;

/**
 * Takes the exclusive lock that is the file's existence, or resolves with `undefined` while another owner has it.
 * A lock that was left behind is swept first. Rejects with the file system's error when the file cannot be written.
 */
export async function tryLock(file: string): Promise<FileLock | undefined> {
  await sweepIfStale(file);
  const content = JSON.stringify({ ...(await thisProcess()), token: randomUUID() });
  try {
    await untilFree(file, () => create(file, content));
  } catch (error) {
    if (hasCode(error, "EEXIST")) return undefined;
    throw error;
  }
  const isMine = (): boolean => readNow(file) === content;
  const touch = setInterval(() => void touchOwn(file, isMine), TOUCH_MS);
  touch.unref();
  return {
    isMine,
    async release() {
      clearInterval(touch);
      if (isMine()) await removeFile(file);
    },
  };
}

/** Whether the file is a lock that its owner has left behind; `false` where there is none. */
export async function isLeftBehind(file: string): Promise<boolean> {
  const content = await read(file);
  const age = Date.now() - ((await stat(file).catch(() => undefined))?.mtimeMs ?? Date.now());
  // Another account's, that may not be read: only its age tells.
  if (content === undefined) return age > STALE_LOCK_MS;
  const owner = parse(content);
  if (!owner) return age > FILLING_MS;
  return !((await isRunning(owner)) ?? age <= STALE_LOCK_MS);
}

async function create(file: string, content: string): Promise<void> {
  try {
    await writeFile(file, content, { flag: "wx" });
  } catch (error) {
    // It was made, and then there was no room for what belongs into it.
    if (hasCode(error, "ENOSPC", "EDQUOT", "EIO")) await removeFile(file).catch(() => {});
    throw error;
  }
}

/** What was taken away meanwhile is another one's. */
async function touchOwn(file: string, isMine: () => boolean): Promise<void> {
  if (isMine()) await utimes(file, new Date(), new Date()).catch(() => {});
}

/**
 * Removes a stale lock, one sweeper at a time: judging and removing must not be two steps that another sweeper, and
 * then a fresh owner, can come between.
 */
async function sweepIfStale(file: string): Promise<void> {
  if (!(await isLeftBehind(file))) return;
  const sweeping = `${file}.sweep`;
  try {
    await mkdir(sweeping);
  } catch {
    const age = Date.now() - ((await stat(sweeping).catch(() => undefined))?.mtimeMs ?? Date.now());
    // A sweeper needs milliseconds; one that is this old died at it.
    if (age > FILLING_MS) await rmdir(sweeping).catch(() => {});
    return;
  }
  try {
    if (await isLeftBehind(file)) await removeFile(file);
  } finally {
    await rmdir(sweeping).catch(() => {});
  }
}

function parse(content: string): Owner | undefined {
  const { pid, host, boot = null, space = null, started = null } = parseRecord(content);
  if (typeof pid !== "number" || pid <= 0 || typeof host !== "string") return undefined;
  return { pid, host, boot: textOf(boot), space: textOf(space), started: textOf(started) };
}

function textOf(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}

function readNow(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}

async function read(file: string): Promise<string | undefined> {
  return readFile(file, "utf8").catch(() => undefined);
}
