/** Reads golden folders, and believes no file that has another hash than the list says. */
import { shown } from "../../base/text/shown.ts";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { IsotorchError, messageOf } from "../../base/errors.ts";
import { isRecord } from "../../base/files/json.ts";
import { arrayFromBytes } from "../compare/array.ts";
import type { StageArray } from "../compare/array.ts";
import { GOLDEN_LIST, sha256Of } from "./golden.ts";
import type { GoldenFile, GoldenList, GoldenPicture } from "./golden.ts";
import { readNpy } from "../../base/files/npy.ts";
import { STAGES } from "../stages.ts";
import type { ArrayStage, Refusal, Traced } from "../stages.ts";

/** A golden picture, read back. */
export type GoldenTrace =
  | { readonly kind: "whole"; readonly bytes: Uint8Array; readonly reference: Traced | Refusal }
  | { readonly kind: "tampered"; readonly bytes: Uint8Array; readonly files: readonly string[] };

/** A golden folder with its list read. */
export class GoldenReader {
  readonly list: GoldenList;
  readonly #folder: string;

  /** @throws IsotorchError `INPUT_NOT_FOUND` without a list, `INPUT_UNREADABLE` for a list that is none. */
  static async open(folder: string): Promise<GoldenReader> {
    const path = join(folder, GOLDEN_LIST);
    const text = await readFile(path, "utf8").catch((cause: unknown) => {
      throw new IsotorchError("INPUT_NOT_FOUND", `${shown(folder)} holds no ${GOLDEN_LIST}.`, {
        cause,
        hint: "`isotorch parity PATH… --save DIR` makes such a folder",
      });
    });
    return new GoldenReader(folder, checkedList(text, path));
  }

  private constructor(folder: string, list: GoldenList) {
    this.#folder = folder;
    this.list = list;
  }

  /** One picture with its arrays, or which of its files are not what they were. */
  async read(picture: GoldenPicture): Promise<GoldenTrace> {
    const tampered: string[] = [];
    const load = async (entry: GoldenFile): Promise<Uint8Array> => {
      const data = await readFile(join(this.#folder, entry.file)).catch(() => undefined);
      if (data && sha256Of(data) === entry.sha256) return data;
      tampered.push(data ? entry.file : `${entry.file} (missing)`);
      return data ?? new Uint8Array();
    };
    const bytes = await load(picture);
    const files: [ArrayStage, string, Uint8Array][] = [];
    for (const stage of STAGES) {
      const entry = stage === "labels" ? undefined : picture.arrays[stage];
      if (stage !== "labels" && entry) files.push([stage, entry.file, await load(entry)]);
    }
    const { labels } = this.list;
    const texts = labels === null ? undefined : await load(labels);
    if (tampered.length > 0) return { kind: "tampered", bytes, files: tampered };
    if (picture.refusal) return { kind: "whole", bytes, reference: picture.refusal };
    const arrays: Partial<Record<ArrayStage, StageArray>> = {};
    for (const [stage, name, data] of files) {
      const { dtype, shape, bytes: elements } = readNpy(data, name);
      arrays[stage] = arrayFromBytes(dtype, shape, elements);
    }
    const reference: Traced = {
      kind: "traced",
      arrays,
      skipped: picture.skipped,
      ...(texts && { labels: labelsOf(texts) }),
    };
    return { kind: "whole", bytes, reference };
  }
}

function labelsOf(data: Uint8Array): string[] {
  const labels: unknown = JSON.parse(new TextDecoder().decode(data));
  return Array.isArray(labels) ? labels.map(String) : [];
}

/** Checks what decides which files are opened; the rest of the list is guarded by being compared. */
function checkedList(text: string, path: string): GoldenList {
  const refused = (why: string, cause?: unknown): IsotorchError =>
    new IsotorchError("INPUT_UNREADABLE", `${shown(path)} is not a list of golden files: ${why}.`, { cause });
  let list: unknown;
  try {
    list = JSON.parse(text);
  } catch (cause) {
    throw refused(messageOf(cause), cause);
  }
  if (!isRecord(list) || !Array.isArray(list["pictures"])) throw refused("it has no pictures");
  if (list["format"] !== 1) throw refused(`its format is ${String(list["format"])}, 1 is read here`);
  const { reference, weights, labels } = list;
  const spec = isRecord(weights) ? weights["spec"] : undefined;
  if (!isRecord(reference) || !isRecord(spec)) throw refused("it names no reference and weights");
  const pictures: unknown[] = list["pictures"];
  const entries = pictures.flatMap((picture) =>
    isRecord(picture) && isRecord(picture["arrays"]) && isRecord(picture["skipped"])
      ? [picture, ...Object.values(picture["arrays"])]
      : [undefined],
  );
  if (labels !== null) entries.push(labels);
  if (!entries.every(isGoldenFile)) throw refused("a file has no name inside the folder or no hash");
  return list as unknown as GoldenList;
}

function isGoldenFile(entry: unknown): boolean {
  if (!isRecord(entry)) return false;
  const { file, sha256 } = entry;
  const isInside = typeof file === "string" && /^[\w-][\w.-]*$/.test(file);
  return isInside && typeof sha256 === "string" && /^[0-9a-f]{64}$/.test(sha256);
}
