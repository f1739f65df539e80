/**
 * Who may do something now: one process at a time, by a file that both languages read. Twin of
 * python/isotorch_worker/lock.py. The lock is the file's existence. Its content is JSON: `pid`, `host` and a random
 * `token`; its owner touches it every five seconds. It is left behind when its owner is gone from this machine, or has
 * not touched it for a minute.
 */
import { randomUUID } from "node:crypto";
import { mkdir, readFile, rmdir, stat, utimes, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { hasCode, removeFile, untilFree } from "./files.ts";
import { parseRecord } from "./json.ts";

/** A lock that is held. Releasing it twice is harmless. */
export interface FileLock {
  release(): Promise<void>;
}

/** Milliseconds after which a lock whose owner does not touch it counts as left behind. */
export const STALE_LOCK_MS = 60_000;
const TOUCH_MS = 5_000;
/** A lock is created and then filled; an empty one this young is being filled. */
const FILLING_MS = 5_000;

/**
 * Takes the exclusive lock that is the file's existence, or resolves with `undefined` while another owner lives.
 * A lock whose owner is gone, or has not touched it for a minute, is swept first. Rejects with the file system's
 * error when the file cannot be written.
 */
export async function tryLock(file: string): Promise<FileLock | undefined> {
  await sweepIfStale(file);
  const content = JSON.stringify({ pid: process.pid, host: hostname(), token: randomUUID() });
  try {
    await untilFree(file, () => writeFile(file, content, { flag: "wx" }));
  } catch (error) {
    if (hasCode(error, "EEXIST")) return undefined;
    throw error;
  }
  const touch = setInterval(() => {
    utimes(file, new Date(), new Date()).catch(() => {});
  }, TOUCH_MS);
  touch.unref();
  return {
    async release() {
      clearInterval(touch);
      if ((await read(file)) === content) await removeFile(file);
    },
  };
}

/**
 * Removes a stale lock, one sweeper at a time: judging and removing must not be two steps that another sweeper, and
 * then a fresh owner, can come between.
 */
async function sweepIfStale(file: string): Promise<void> {
  if (!(await isStaleNow(file))) return;
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
    if (await isStaleNow(file)) await removeFile(file);
  } finally {
    await rmdir(sweeping).catch(() => {});
  }
}

async function isStaleNow(file: string): Promise<boolean> {
  const content = await read(file);
  const age = Date.now() - ((await stat(file).catch(() => undefined))?.mtimeMs ?? Date.now());
  // Another account's, that may not be read: only its age tells.
  if (content === undefined) return age > STALE_LOCK_MS;
  const owner = parse(content);
  if (!owner) return age > FILLING_MS;
  if (age > STALE_LOCK_MS) return true;
  return owner.host === hostname() && !isAlive(owner.pid);
}

function parse(content: string): { readonly pid: number; readonly host: string } | undefined {
  const { pid, host } = parseRecord(content);
  return typeof pid === "number" && pid > 0 && typeof host === "string" ? { pid, host } : undefined;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return hasCode(error, "EPERM");
  }
}

async function read(file: string): Promise<string | undefined> {
  return readFile(file, "utf8").catch(() => undefined);
}
