/** The files of a folder and of all its folders, one by one and sorted by path; a folder at a time is in memory. */
import { readdir, stat } from "node:fs/promises";
import type { Dirent } from "node:fs";
import { extname, join } from "node:path";

export const EXTENSIONS: ReadonlySet<string> = new Set(
  "jpg jpeg jpe jfif png webp gif bmp dib tif tiff ico ppm pgm pbm pnm jp2 j2k jpf jpx".split(" "),
);

/** Whether a file is named as pictures are. */
export function isPictureName(path: string): boolean {
  return EXTENSIONS.has(extname(path).slice(1).toLowerCase());
}

/**
 * Links to files count as files, links to folders are not followed: they may lead in a circle.
 *
 * @param enters says whether a folder is looked into.
 */
export async function* filesUnder(
  folder: string,
  enters: (folder: string) => boolean = () => true,
): AsyncGenerator<string, void, undefined> {
  const entries = await readdir(folder, { withFileTypes: true });
  // With the slash the order is that of the whole paths: "a.jpg" stands before "a/b.jpg".
  const keyed = entries.map((entry) => ({ entry, key: entry.isDirectory() ? `${entry.name}/` : entry.name }));
  for (const { entry } of keyed.toSorted((a, b) => (a.key < b.key ? -1 : 1))) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) {
      if (enters(path)) yield* filesUnder(path, enters);
    } else if (await isFile(entry, path)) yield path;
  }
}

async function isFile(entry: Dirent, path: string): Promise<boolean> {
  if (!entry.isSymbolicLink()) return entry.isFile();
  const target = await stat(path).catch(() => undefined);
  return target?.isFile() === true;
}
