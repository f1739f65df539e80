/** Takes half-unpacked packages out of conda's caches, which conda itself takes for whole ones. */
import { readJson } from "../base/files/files.ts";
import { lstat, rm } from "node:fs/promises";
import { isRecord } from "../base/files/json.ts";

/** Files of a package that are looked at together. */
const AT_ONCE = 64;

/**
 * Removes the directories of those packages that are not whole; their archives stay. conda 26 leaves such ones when it
 * is interrupted while it unpacks, and every conda when it is killed; the next one then cannot link them.
 *
 * @param archives names such as `numpy-1.26.4-py310h0_0.conda`.
 * @param caches absolute directories, `pkgs_dirs` of `conda info --json`.
 * @returns the names of the directories that were removed.
 */
export async function removeBroken(
  archives: readonly string[],
  caches: readonly string[],
): Promise<string[]> {
  const removed: string[] = [];
  for (const archive of archives) {
    const name = archive.replace(/\.(?:conda|tar\.bz2)$/, "");
    for (const cache of caches) {
      const folder = `${cache}/${name}`;
      if ((await sizeOf(folder)) === undefined || (await isWholePackage(folder))) continue;
      await rm(folder, { recursive: true, force: true, maxRetries: 3 });
      removed.push(name);
    }
  }
  return removed;
}

/** Whether everything is there that the package says it has, in its size. */
async function isWholePackage(folder: string): Promise<boolean> {
  const manifest = await readJson(`${folder}/info/paths.json`);
  const paths = manifest["paths"];
  if (!Array.isArray(paths)) return false;
  for (let start = 0; start < paths.length; start += AT_ONCE) {
    const some: unknown[] = paths.slice(start, start + AT_ONCE);
    const areThere = await Promise.all(some.map((entry) => isThere(entry, folder)));
    if (areThere.includes(false)) return false;
  }
  return true;
}

async function isThere(entry: unknown, folder: string): Promise<boolean> {
  if (!isRecord(entry) || typeof entry["_path"] !== "string") return false;
  const size = await sizeOf(`${folder}/${entry["_path"]}`);
  const isFile = entry["path_type"] === "hardlink" && typeof entry["size_in_bytes"] === "number";
  return size !== undefined && (!isFile || size === entry["size_in_bytes"]);
}

async function sizeOf(path: string): Promise<number | undefined> {
  return (await lstat(path).catch(() => undefined))?.size;
}
