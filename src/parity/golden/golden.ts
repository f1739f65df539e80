/** Golden files: pictures and what plain PyTorch made of them, kept to be replayed where there is no Python. */
import { createHash } from "node:crypto";
import { basename, extname, join } from "node:path";
import { makeDirectory } from "../../base/files/files.ts";
import { unwritable, writeOutput } from "../../base/files/output.ts";
import { PACKAGE_VERSION } from "../../base/version.ts";
import { writeNpy } from "../../base/files/npy.ts";
import type { Compared, ParityWeights, Side } from "../run.ts";
import { STAGES } from "../stages.ts";
import type { ArrayStage, Refusal, Stage } from "../stages.ts";

const GOLDEN_FILES = "The golden files";

/** The list of a golden folder. */
export const GOLDEN_LIST = "golden.json";

/** `golden.json`. */
export interface GoldenList {
  readonly format: 1;
  readonly isotorch: string;
  /** What made the arrays. */
  readonly reference: Side;
  readonly weights: ParityWeights;
  readonly labels: GoldenFile | null;
  readonly pictures: readonly GoldenPicture[];
}

export interface GoldenFile {
  /** A name inside the folder. */
  readonly file: string;
  /** Lower-case hex of the whole file. */
  readonly sha256: string;
}

export interface GoldenPicture extends GoldenFile {
  /** As it was named when it was saved. */
  readonly input: string;
  readonly kind: string;
  /** The reference would not take it. */
  readonly refusal?: Refusal;
  readonly arrays: Readonly<Partial<Record<ArrayStage, GoldenFile>>>;
  readonly skipped: Readonly<Partial<Record<Stage, string>>>;
}

/** Writes a golden folder, picture by picture; the list comes last, so that a folder with a list is whole. */
export class GoldenWriter {
  readonly #folder: string;
  readonly #pictures: GoldenPicture[] = [];
  #labels: GoldenFile | null = null;

  /** @throws IsotorchError `INVALID_OPTION` where the folder cannot be made. */
  static async open(folder: string): Promise<GoldenWriter> {
    await makeDirectory(folder).catch((cause: unknown) => {
      throw unwritable(GOLDEN_FILES, cause, folder);
    });
    return new GoldenWriter(folder);
  }

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /** Keeps the picture's bytes and the reference's arrays. */
  async add({ input, kind, bytes, reference }: Compared): Promise<void> {
    const stem = `${String(this.#pictures.length + 1).padStart(4, "0")}-${plainName(input)}`;
    const picture = await this.#write(`${stem}${plainExtension(input)}`, bytes);
    const arrays: Partial<Record<ArrayStage, GoldenFile>> = {};
    if (reference.kind === "refused") {
      this.#pictures.push({ ...picture, input, kind, refusal: reference, arrays, skipped: {} });
      return;
    }
    for (const stage of STAGES) {
      const array = stage === "labels" ? undefined : reference.arrays[stage];
      if (stage === "labels" || !array) continue;
      const file = writeNpy(array.dtype, array.shape, array.data);
      arrays[stage] = await this.#write(`${stem}.${stage}.npy`, file);
    }
    this.#pictures.push({ ...picture, input, kind, arrays, skipped: reference.skipped });
    this.#labels ??= await this.#write(
      "labels.json",
      new TextEncoder().encode(`${JSON.stringify(reference.labels ?? [], null, 1)}\n`),
    );
  }

  /** Writes the list. */
  async finish(reference: Side, weights: ParityWeights): Promise<void> {
    const list: GoldenList = {
      format: 1,
      isotorch: PACKAGE_VERSION,
      reference,
      weights,
      labels: this.#labels,
      pictures: this.#pictures,
    };
    const text = `${JSON.stringify(list, null, 1)}\n`;
    await writeOutput(join(this.#folder, GOLDEN_LIST), text, GOLDEN_FILES);
  }

  async #write(file: string, data: Uint8Array): Promise<GoldenFile> {
    await writeOutput(join(this.#folder, file), data, GOLDEN_FILES);
    return { file, sha256: sha256Of(data) };
  }
}

/** Lower-case hex. */
export function sha256Of(data: Uint8Array): string {
  return createHash("sha256").update(data).digest("hex");
}

/** A name that is one on every file system. */
function plainName(input: string): string {
  return basename(input, extname(input))
    .replaceAll(/[^\w-]+/g, "_")
    .slice(0, 60);
}

function plainExtension(input: string): string {
  return extname(input)
    .toLowerCase()
    .replaceAll(/[^\w.]/g, "");
}
