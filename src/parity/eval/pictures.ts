/** Which pictures a run takes: the files that were named, and what lies in the folders. */
import { shown } from "../../base/text/shown.ts";
import { readFile, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { IsotorchError, messageOf } from "../../base/errors.ts";
import { readHeader } from "../../image/format.ts";
import { isRecord, parseJson } from "../../base/files/json.ts";
import { pathOf, shownName } from "../../base/text/names.ts";
import { EXTENSIONS, filesUnder, isPictureName, PassedOver } from "./walk.ts";

/**
 * The named files in their order, and every picture under the named folders, sorted by path.
 *
 * @param passed counts what is passed over in the folders.
 * @throws IsotorchError `INPUT_NOT_FOUND` for a path that is not there, or when no picture is found at all.
 */
export async function findPictures(
  paths: readonly string[],
  passed: PassedOver = new PassedOver(),
): Promise<string[]> {
  const found = await Promise.all(paths.map((path) => picturesAt(path, passed)));
  const files = [...new Set(found.flat())];
  if (files.length > 0) return files;
  throw new IsotorchError("INPUT_NOT_FOUND", `There is no picture in ${paths.map(shownName).join(", ")}.`, {
    hint: `Pictures are files named ${[...EXTENSIONS].map((extension) => `.${extension}`).join(" ")}`,
  });
}

async function picturesAt(path: string, passed: PassedOver): Promise<string[]> {
  const facts = await stat(pathOf(path)).catch((cause: unknown) => {
    throw new IsotorchError("INPUT_NOT_FOUND", `There is no file or folder ${shown(path)}.`, { cause });
  });
  if (!facts.isDirectory()) return [path];
  const found: string[] = [];
  for await (const file of filesUnder(path)) {
    if (!passed.add(file) && isPictureName(file)) found.push(file);
  }
  return found;
}

/** What kind of picture a file is: as `corpus.json` beside it says, or its format and mode. */
export class Kinds {
  readonly #listed = new Map<string, Promise<ReadonlyMap<string, string>>>();

  async of(path: string, bytes: Uint8Array): Promise<string> {
    const folder = dirname(path);
    let listed = this.#listed.get(folder);
    if (listed === undefined) this.#listed.set(folder, (listed = readIndex(join(folder, "corpus.json"))));
    return (await listed).get(basename(path)) ?? kindByHeader(bytes);
  }
}

/** `corpus.json` is `[{"file", "kind"}, …]`; empty where there is none. */
async function readIndex(path: string): Promise<ReadonlyMap<string, string>> {
  const text = await readFile(pathOf(path), "utf8").catch(() => "[]");
  let entries: unknown;
  try {
    entries = parseJson(text);
  } catch (cause) {
    throw new IsotorchError("INPUT_UNREADABLE", `${shown(path)} is not JSON: ${messageOf(cause)}.`, {
      cause,
    });
  }
  const list: unknown[] = Array.isArray(entries) ? entries : [];
  const pairs = list.filter(isRecord).map(({ file, kind }) => [String(file), String(kind)] as const);
  return new Map(pairs);
}

function kindByHeader(bytes: Uint8Array): string {
  try {
    const { format, mode } = readHeader(bytes);
    return mode === undefined ? format : `${format} ${mode}`;
  } catch (error) {
    if (error instanceof IsotorchError) return `refused: ${error.code}`;
    throw error;
  }
}
