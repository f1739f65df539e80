/** A tree of pictures in one folder per class, as torchvision's `ImageFolder` walks it, and which class a folder is. */
import { excerpt, shown } from "../../base/text/shown.ts";
import { readdir, realpath, stat } from "node:fs/promises";
import { join } from "node:path";
import { IsotorchError, messageOf } from "../../base/errors.ts";
import { nameOf, pathOf } from "../../base/text/names.ts";
import { didYouMean } from "../../base/options/suggest.ts";
import { PassedOver } from "./walk.ts";

/** One picture with its class. */
export interface Sample {
  /** Below the tree's folder, with `/` on every system. */
  readonly name: string;
  readonly path: string;
  /** Position in the network's output. */
  readonly classIndex: number;
}

/** How folders were matched with the network's classes. */
export type FolderNaming = "index" | "label" | "synset" | "order";

/** One picture in its folder, of which nobody knows yet which class it is. */
export interface Picture {
  /** Below the tree's folder, with `/` on every system. */
  readonly name: string;
  readonly path: string;
  /** Position of its folder among the folders. */
  readonly folder: number;
}

export interface ImageFolder {
  /** Names of the class folders, sorted. */
  readonly folders: readonly string[];
  /** In `ImageFolder`'s order. */
  readonly pictures: readonly Picture[];
}

/** A tree whose folders are classes of a network. */
export interface ClassTree {
  readonly naming: FolderNaming;
  readonly folders: number;
  /** In `ImageFolder`'s order. */
  readonly samples: readonly Sample[];
}

const EXTENSIONS = /\.(?:jpg|jpeg|png|ppm|bmp|pgm|tif|tiff|webp)$/i;

/**
 * Walks the tree.
 *
 * @param passed counts what is passed over: kinds that are not read, and what macOS leaves beside pictures (`._x.jpg`),
 * over which `ImageFolder` breaks off.
 * @throws IsotorchError `INPUT_NOT_FOUND`, `INPUT_UNREADABLE`, or `INVALID_INPUT` for a tree that is none: no folders, or folders
 * without pictures.
 */
export async function readImageFolder(
  directory: string,
  passed: PassedOver = new PassedOver(),
): Promise<ImageFolder> {
  const { folders: names } = await entriesOf(directory);
  if (names.length === 0) {
    throw new IsotorchError("INVALID_INPUT", `${shown(directory)} has no class folders.`, {
      hint: "Put the pictures of each class into a folder of its own: DIR/207/dog.jpg",
    });
  }
  const pictures: Picture[] = [];
  const empty: string[] = [];
  for (const [at, folder] of names.entries()) {
    const found = await picturesBelow(directory, folder, passed);
    if (found.length === 0) empty.push(folder);
    for (const name of found) pictures.push({ name, path: join(directory, name), folder: at });
  }
  if (empty.length > 0) {
    throw new IsotorchError("INVALID_INPUT", `There is no picture in the class folders ${few(empty)}.`, {
      hint: "Take them away, or put pictures in: .jpg .jpeg .png .ppm .bmp .pgm .tif .tiff .webp",
    });
  }
  return { folders: names, pictures };
}

/**
 * The pictures with their classes.
 *
 * @param labels the network's classes, in the order of its output.
 * @param synsets ImageNet's names of them, where they are ImageNet's.
 * @throws IsotorchError as {@link matchFolders}.
 */
export function classTree(
  { folders, pictures }: ImageFolder,
  labels: readonly string[],
  synsets: readonly string[] = [],
): ClassTree {
  const { naming, indices } = matchFolders(folders, labels, synsets);
  const samples = pictures.map(({ name, path, folder }) => ({
    name,
    path,
    classIndex: indices[folder] ?? -1,
  }));
  return { naming, folders: folders.length, samples };
}

/**
 * Which class each folder is. Names that all say it themselves, as indices, as labels or as ImageNet's synsets (`n02099601`),
 * are believed; else there must be as many folders as classes, and their sorted order is the classes' order.
 *
 * @throws IsotorchError `INVALID_INPUT` naming the first folder that fits no class, or two that are the same.
 */
export function matchFolders(
  names: readonly string[],
  labels: readonly string[],
  synsets: readonly string[] = [],
): { readonly naming: FolderNaming; readonly indices: readonly number[] } {
  if (names.every((name) => /^\d+$/.test(name) && Number(name) < labels.length)) {
    return { naming: "index", indices: distinct(names, names.map(Number)) };
  }
  if (names.every((name) => labels.includes(name))) {
    const unclear = names.find((name) => labels.indexOf(name) !== labels.lastIndexOf(name));
    // ImageNet has two cranes and two maillots.
    if (unclear !== undefined) {
      throw new IsotorchError("INVALID_INPUT", `Two classes are called "${excerpt(unclear)}".`, {
        hint: `Name the folders by their indices instead: ${unclear} is ${labels.indexOf(unclear)} or ${labels.lastIndexOf(unclear)}.`,
      });
    }
    return { naming: "label", indices: names.map((name) => labels.indexOf(name)) };
  }
  if (names.every((name) => synsets.includes(name)))
    return { naming: "synset", indices: names.map((name) => synsets.indexOf(name)) };
  if (names.length === labels.length) return { naming: "order", indices: names.map((_, index) => index) };
  throw mismatch(names, labels, synsets);
}

function mismatch(
  names: readonly string[],
  labels: readonly string[],
  synsets: readonly string[],
): IsotorchError {
  const known = new Set([...labels, ...synsets]);
  const stranger = names.find(
    (name) => !known.has(name) && !(/^\d+$/.test(name) && Number(name) < labels.length),
  );
  const lead = stranger === undefined ? undefined : didYouMean(stranger, labels);
  const which =
    stranger === undefined
      ? `some are indices, and some are labels${synsets.length > 0 ? " or synsets" : ""}`
      : `"${excerpt(stranger)}" is neither a label nor an index`;
  return new IsotorchError(
    "INVALID_INPUT",
    `The ${names.length} class folders cannot be matched with the ${labels.length} classes: ${which}.`,
    {
      hint:
        (lead === undefined ? "" : `${lead} `) +
        `Name each folder by its class index (0 to ${labels.length - 1}) or its label, or have one for each of the ${labels.length} classes, in their order.`,
    },
  );
}

function distinct(names: readonly string[], indices: readonly number[]): readonly number[] {
  const twice = indices.findIndex((index, at) => indices.indexOf(index) !== at);
  if (twice === -1) return indices;
  const first = names[indices.indexOf(indices[twice] ?? -1)] ?? "";
  throw new IsotorchError(
    "INVALID_INPUT",
    `The folders ${shown(first)} and ${shown(names[twice] ?? "")} are the same class.`,
    {
      hint: "Put their pictures into one folder.",
    },
  );
}

/** Sorted by folder, then by name, links followed, as `sorted(os.walk(folder, followlinks=True))` gives them. */
async function picturesBelow(root: string, top: string, passed: PassedOver): Promise<string[]> {
  const found: { folder: string; files: string[] }[] = [];
  const walk = async (folder: string, above: readonly string[]): Promise<void> => {
    const real = await realpath(pathOf(join(root, folder)));
    if (above.includes(real)) {
      throw new IsotorchError(
        "INVALID_INPUT",
        `${shown(join(root, folder))} is a link to a folder that it is in.`,
        {
          hint: "Remove the link: the tree would have no end.",
        },
      );
    }
    const { folders, files } = await entriesOf(join(root, folder));
    found.push({ folder, files: files.filter((name) => !passed.add(name) && EXTENSIONS.test(name)) });
    for (const name of folders) await walk(`${folder}/${name}`, [...above, real]);
  };
  await walk(top, []);
  return found
    .toSorted((a, b) => byCodePoint(a.folder, b.folder))
    .flatMap(({ folder, files }) => files.map((name) => `${folder}/${name}`));
}

async function entriesOf(directory: string): Promise<{ folders: string[]; files: string[] }> {
  const entries = await readdir(pathOf(directory), {
    withFileTypes: true,
    encoding: "buffer",
  }).catch((cause: NodeJS.ErrnoException) => {
    const missing = cause.code === "ENOENT";
    const what = missing ? "does not exist" : `cannot be read: ${messageOf(cause)}`;
    throw new IsotorchError(
      missing ? "INPUT_NOT_FOUND" : "INPUT_UNREADABLE",
      `${shown(directory)} ${what}.`,
      {
        cause,
        hint: "Give a folder that holds one folder per class.",
      },
    );
  });
  const folders: string[] = [];
  const files: string[] = [];
  for (const entry of entries) {
    const name = nameOf(entry.name);
    const target = entry.isSymbolicLink()
      ? await stat(pathOf(join(directory, name))).catch(() => undefined)
      : entry;
    (target?.isDirectory() ? folders : files).push(name);
  }
  return { folders: folders.toSorted(byCodePoint), files: files.toSorted(byCodePoint) };
}

/** Python's order of strings. JavaScript's own is by UTF-16 units, which puts emoji before some of plane 0. */
function byCodePoint(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

function few(names: readonly string[]): string {
  const more = names.length > 5 ? ` and ${names.length - 5} more` : "";
  return names.slice(0, 5).join(", ") + more;
}
