/** The files of isotorch among the checkpoints, which lie in a directory that other programs use too. */
import { shown } from "../base/text/shown.ts";
import { lstat, readdir, rmdir } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { IsotorchError } from "../base/errors.ts";
import { directory } from "./resolve.ts";
import { hashFile } from "./download.ts";
import { type Integrity, NOTE, integrityOf, notedHash } from "./integrity.ts";
import { type KnownCheckpoint, knownCheckpoints, modelNames } from "./table.ts";
import { removeFile } from "../base/files/files.ts";
import { isLeftBehind, tryLock } from "../base/files/lock.ts";

/** One file in the cache that isotorch knows. */
export interface CacheEntry {
  /** The network that it is for. */
  readonly model: string;
  /** The weights' name: `IMAGENET1K_V1`, `untrained:7`. */
  readonly name: string;
  /**
   * `checkpoint` is downloaded, `untrained` made here, `partial` the beginning of a download, with which the next one goes on;
   * `leftover` is of no use any more: what a killed process had not finished, or its lock.
   */
  readonly kind: "checkpoint" | "untrained" | "partial" | "leftover";
  readonly path: string;
  readonly bytes: number;
  /** Full SHA-256 or its first digits; `null` where nothing is known. */
  readonly sha256: string | null;
  /** How surely it is the file that is meant; `null` for what is no whole file. */
  readonly integrity: Integrity | null;
}

/** What is in the cache. */
export interface CacheListing {
  readonly directory: string;
  readonly entries: readonly CacheEntry[];
  /** Files and directories that are not isotorch's. */
  readonly others: number;
}

const UNTRAINED = /^(.+)-untrained-(\d{1,10})\.pth$/;
/** What belongs to a file and is named after it. */
const BESIDE = [NOTE, ".part.json", ".lock", ".lock.sweep"];
/** A file that the worker is writing, before it has its name, and a note that this program is. */
const UNFINISHED = [/^\.(.+)\.[0-9a-f]{32}$/, /^(.+\.sha256)\.\d+-[0-9a-f]{8}$/];

/** Lists the cache; empty where there is none. @param options.cacheDir torchvision's own place by default. */
export async function listCache(options: { readonly cacheDir?: string }): Promise<CacheListing> {
  const folder = directory(options);
  const known = knownFiles();
  const names = (await readdir(folder).catch((): string[] => [])).toSorted();
  const entries: CacheEntry[] = [];
  let others = 0;
  for (const file of names) {
    const path = join(folder, file);
    const found = await lstat(path).catch(() => undefined);
    // Gone since it was listed.
    if (!found) continue;
    const whole = wholeOf(file);
    const named = whole === undefined ? undefined : nameOf(whole, known);
    if (whole !== undefined && named !== undefined) {
      if (await isLeftover(folder, file, whole, names)) {
        const bytes = found.isFile() ? found.size : 0;
        entries.push({ ...named, kind: "leftover", path, bytes, sha256: null, integrity: null });
      }
      continue;
    }
    // Another program's link or directory of the same name is not ours to follow.
    const entry = found.isFile() ? await entryOf(file, path, known) : undefined;
    if (entry) entries.push({ ...entry, path, bytes: found.size });
    else others += 1;
  }
  return { directory: folder, entries, others };
}

/** Whether a file is whole: `ok`, `damaged`, or `unknown` where no hash tells. Rejects with the file system's error. */
export async function verifyEntry(
  entry: CacheEntry,
  signal?: AbortSignal,
): Promise<"ok" | "damaged" | "unknown"> {
  if (entry.sha256 === null || entry.kind === "partial") return "unknown";
  return (await hashFile(entry.path, signal)).startsWith(entry.sha256) ? "ok" : "damaged";
}

/** Removes a file and what is named after it. Rejects with `DOWNLOAD_FAILED` while a download is at work on it. */
export async function removeEntry({ path, kind }: CacheEntry): Promise<void> {
  const whole = join(dirname(path), wholeOf(basename(path)) ?? basename(path).replace(/\.part$/, ""));
  const lock = await tryLock(`${whole}.lock`);
  if (!lock) {
    throw new IsotorchError(
      "DOWNLOAD_FAILED",
      `${shown(whole)} is being downloaded at this moment; it was left alone.`,
      {
        hint: "Wait for the download, or end it, and clear again",
      },
    );
  }
  try {
    if (path.endsWith(".lock.sweep")) return await rmdir(path).catch(() => {});
    // A lock that was left behind is gone already, and this one is there in its place.
    if (!path.endsWith(".lock")) await removeFile(path);
    for (const ending of kind === "leftover" ? [] : kind === "partial" ? [".part.json"] : [NOTE])
      await removeFile(`${whole}${ending}`);
  } finally {
    await lock.release();
  }
}

/** A model and its weights' name. */
type Named = Pick<CacheEntry, "model" | "name">;
type Known = ReadonlyMap<string, Named & { readonly checkpoint: KnownCheckpoint }>;

/** What is downloaded, by the files' names. */
function knownFiles(): Known {
  return new Map(
    modelNames().flatMap((model) =>
      Object.entries(knownCheckpoints(model)).map(([name, checkpoint]) => [
        basename(new URL(checkpoint.url).pathname),
        { model, name, checkpoint },
      ]),
    ),
  );
}

async function entryOf(
  file: string,
  path: string,
  known: Known,
): Promise<Omit<CacheEntry, "path" | "bytes"> | undefined> {
  const whole = file.replace(/\.part$/, "");
  const found = known.get(whole);
  if (found) {
    const { checkpoint, ...named } = found;
    const digits = checkpoint.sha256 ?? checkpoint.sha256Prefix;
    if (file !== whole) return { ...named, kind: "partial", sha256: digits, integrity: null };
    const noted = await notedHash(path);
    const integrity = integrityOf(checkpoint, noted);
    return { ...named, kind: "checkpoint", sha256: checkpoint.sha256 ?? noted ?? digits, integrity };
  }
  const made = madeOf(file);
  if (made === undefined) return undefined;
  const sha256 = await notedHash(path);
  return { ...made, kind: "untrained", sha256, integrity: sha256 === null ? "unpinned" : "first use" };
}

/** The file to which another one belongs by its name; `undefined` for one that stands for itself. */
function wholeOf(file: string): string | undefined {
  const written = UNFINISHED.map((pattern) => pattern.exec(file)?.[1]).find(Boolean) ?? file;
  const ending = BESIDE.find((candidate) => written.endsWith(candidate));
  if (ending !== undefined) return written.slice(0, -ending.length);
  return written === file ? undefined : written;
}

function nameOf(whole: string, known: Known): Named | undefined {
  const found = known.get(whole);
  return found ? { model: found.model, name: found.name } : madeOf(whole);
}

/** Which untrained weights a file has, by its name. */
function madeOf(file: string): Named | undefined {
  const [, model = "", seed] = UNTRAINED.exec(file) ?? [];
  return modelNames().includes(model) ? { model, name: `untrained:${seed}` } : undefined;
}

/** Whether what belongs to a file is of no use: nobody is at work on it, and what it was made for is not there. */
async function isLeftover(
  folder: string,
  file: string,
  whole: string,
  names: readonly string[],
): Promise<boolean> {
  const lock = `${whole}.lock`;
  if (names.includes(lock) && !(await isLeftBehind(join(folder, lock)))) return false;
  if (file.endsWith(NOTE)) return !names.includes(whole);
  return !file.endsWith(".part.json") || !names.includes(`${whole}.part`);
}
