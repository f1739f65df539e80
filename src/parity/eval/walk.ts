/** The files of a folder and of all its folders, one by one and sorted by path; a folder at a time is in memory. */
import { readdir, stat } from "node:fs/promises";
import type { Dirent } from "node:fs";
import { basename, extname, join } from "node:path";
import { nameOf, pathOf } from "../../base/text/names.ts";

export const EXTENSIONS: ReadonlySet<string> = new Set(
  "jpg jpeg jpe jfif png webp gif bmp dib tif tiff ico ppm pgm pbm pnm jp2 j2k jpf jpx".split(" "),
);
/** Pictures that most Pillows do not read. */
const UNREAD: ReadonlySet<string> = new Set(
  "heic heif hif avif jxl svg svgz psd ai eps pdf raw dng cr2 cr3 nef arw orf raf rw2".split(" "),
);

/** Whether a file is named as pictures are; what macOS leaves beside them on other file systems (`._x.jpg`) is not. */
export function isPictureName(path: string): boolean {
  return EXTENSIONS.has(extensionOf(path)) && !isAppleDouble(path);
}

/**
 * What kind of file a search for pictures passes over, and says so: `.heic` and the like, or `._ (AppleDouble)`;
 * `undefined` for a picture, and for what is not named as one.
 */
export function passedKind(path: string): string | undefined {
  const extension = extensionOf(path);
  if (!EXTENSIONS.has(extension) && !UNREAD.has(extension)) return undefined;
  if (isAppleDouble(path)) return "._ (AppleDouble)";
  return UNREAD.has(extension) ? `.${extension}` : undefined;
}

/** Counts what searches pass over, by kind. */
export class PassedOver {
  readonly #counts = new Map<string, number>();

  /** @returns whether the file is one to pass over. */
  add(path: string): boolean {
    const kind = passedKind(path);
    if (kind !== undefined) this.#counts.set(kind, (this.#counts.get(kind) ?? 0) + 1);
    return kind !== undefined;
  }

  /** `3 files passed over: 2 .heic, 1 ._ (AppleDouble)`; empty where there is none. */
  toString(): string {
    const counts = [...this.#counts].toSorted(([a, m], [b, n]) => n - m || (a < b ? -1 : 1));
    const total = counts.reduce((sum, [, count]) => sum + count, 0);
    if (total === 0) return "";
    const kinds = counts.map(([kind, count]) => `${count} ${kind}`);
    return `${total} ${total === 1 ? "file" : "files"} passed over: ${kinds.join(", ")}`;
  }
}

/**
 * Links to files count as files, links to folders are not followed: they may lead in a circle. Names that are not UTF-8
 * are as `nameOf` has them.
 *
 * @param enters says whether a folder is looked into.
 */
export async function* filesUnder(
  folder: string,
  enters: (folder: string) => boolean = () => true,
): AsyncGenerator<string, void, undefined> {
  const entries = await readdir(pathOf(folder), { withFileTypes: true, encoding: "buffer" });
  const named = entries.map((entry) => ({ entry, name: nameOf(entry.name) }));
  // With the slash the order is that of the whole paths: "a.jpg" stands before "a/b.jpg".
  const keyed = named.map(({ entry, name }) => ({
    entry,
    name,
    key: entry.isDirectory() ? `${name}/` : name,
  }));
  for (const { entry, name } of keyed.toSorted((a, b) => (a.key < b.key ? -1 : 1))) {
    const path = join(folder, name);
    if (entry.isDirectory()) {
      if (enters(path)) yield* filesUnder(path, enters);
    } else if (await isFile(entry, path)) yield path;
  }
}

async function isFile(entry: Pick<Dirent, "isSymbolicLink" | "isFile">, path: string): Promise<boolean> {
  if (!entry.isSymbolicLink()) return entry.isFile();
  const target = await stat(pathOf(path)).catch(() => undefined);
  return target?.isFile() === true;
}

function isAppleDouble(path: string): boolean {
  return basename(path).startsWith("._");
}

function extensionOf(path: string): string {
  return extname(path).slice(1).toLowerCase();
}
