/** The files of isotorch among the checkpoints, which lie in a directory that other programs use too. */
import { shown } from "../base/shown.ts";
import { lstat, readdir, readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { IsotorchError } from "../errors.ts";
import { directory } from "./checkpoint.ts";
import { hashFile } from "./download.ts";
import { knownCheckpoints } from "./known.ts";
import { removeFile } from "../base/files.ts";
import { tryLock } from "../base/lock.ts";

/** One file in the cache that isotorch knows. */
export interface CacheEntry {
  /** The weights' name: `IMAGENET1K_V1`, `untrained:7`. */
  readonly name: string;
  /** `checkpoint` is downloaded, `untrained` made here, `partial` the beginning of a download. */
  readonly kind: "checkpoint" | "untrained" | "partial";
  readonly path: string;
  readonly bytes: number;
  /** Full SHA-256 or its first digits; `null` where nothing is known. */
  readonly sha256: string | null;
}

/** What is in the cache. */
export interface CacheListing {
  readonly directory: string;
  readonly entries: readonly CacheEntry[];
  /** Files and directories that are not isotorch's. */
  readonly others: number;
}

const UNTRAINED = /^resnet101-untrained-(\d{1,10})\.pth$/;
/** What belongs to a file and is named after it. */
const BESIDE = [".sha256", ".part", ".part.json", ".lock"];

/** Lists the cache; empty where there is none. @param options.cacheDir torchvision's own place by default. */
export async function listCache(
  options: { readonly cacheDir?: string },
  model = "resnet101",
): Promise<CacheListing> {
  const folder = directory(options);
  const known = new Map(
    Object.entries(knownCheckpoints(model)).map(([name, { url, sha256, sha256Prefix }]) => [
      basename(new URL(url).pathname),
      { name, sha256: sha256 ?? sha256Prefix },
    ]),
  );
  const names = (await readdir(folder).catch((): string[] => [])).toSorted();
  const entries: CacheEntry[] = [];
  let others = 0;
  for (const file of names) {
    const path = join(folder, file);
    const found = await lstat(path).catch(() => undefined);
    // Another program's link or directory of the same name is not ours to follow.
    if (!found?.isFile()) others += found ? 1 : 0;
    else {
      const entry = await entryOf(file, path, known);
      if (entry) entries.push({ ...entry, path, bytes: found.size });
      else if (!belongs(file, known)) others += 1;
    }
  }
  return { directory: folder, entries, others };
}

/** Whether a file is whole: `ok`, `damaged`, or `unknown` where no hash tells. Rejects with the file system's error. */
export async function verifyEntry(
  entry: CacheEntry,
  signal?: AbortSignal,
): Promise<"ok" | "damaged" | "unknown"> {
  if (entry.kind === "partial" || entry.sha256 === null) return "unknown";
  return (await hashFile(entry.path, signal)).startsWith(entry.sha256) ? "ok" : "damaged";
}

/** Removes a file and what is named after it. Rejects with `DOWNLOAD_FAILED` while a download is at work on it. */
export async function removeEntry({ path, kind }: CacheEntry): Promise<void> {
  const whole = kind === "partial" ? path.slice(0, -".part".length) : path;
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
    await removeFile(path);
    for (const ending of kind === "partial" ? [".part.json"] : [".sha256"])
      await removeFile(`${whole}${ending}`);
  } finally {
    await lock.release();
  }
}

type Known = ReadonlyMap<string, { readonly name: string; readonly sha256: string | null }>;

async function entryOf(
  file: string,
  path: string,
  known: Known,
): Promise<Pick<CacheEntry, "name" | "kind" | "sha256"> | undefined> {
  const whole = file.replace(/\.part$/, "");
  const checkpoint = known.get(whole);
  if (checkpoint) return { ...checkpoint, kind: file === whole ? "checkpoint" : "partial" };
  const seed = UNTRAINED.exec(file)?.[1];
  if (seed === undefined) return undefined;
  const written = (await readFile(`${path}.sha256`, "utf8").catch(() => "")).trim();
  const sha256 = /^[0-9a-f]{64}/.exec(written)?.[0] ?? null;
  return { name: `untrained:${seed}`, kind: "untrained", sha256 };
}

function belongs(file: string, known: Known): boolean {
  const ending = BESIDE.find((candidate) => file.endsWith(candidate));
  if (ending === undefined) return false;
  const whole = file.slice(0, -ending.length);
  return known.has(whole) || UNTRAINED.test(whole);
}
