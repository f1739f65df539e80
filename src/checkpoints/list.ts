/** The checkpoints that are known by name, each with the place where it is looked for. */
import { stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { type Integrity, integrityOf, notedHash } from "./integrity.ts";
import { directory } from "./resolve.ts";
import { DEFAULT_MODEL, type KnownCheckpoint, knownCheckpoints } from "./table.ts";

export interface CatalogueEntry {
  readonly name: string;
  readonly url: string;
  readonly path: string;
  /** Size of the whole file; `null` where it is not known. */
  readonly bytes: number | null;
  /** Whether a file is at `path`; its hash is checked when it is loaded. */
  readonly here: boolean;
}

/** The same with what is known of the weights. */
export interface ModelEntry
  extends
    CatalogueEntry,
    Pick<
      KnownCheckpoint,
      "mebibytes" | "parameters" | "gflops" | "acc1" | "acc5" | "spec" | "licence" | "sha256" | "sha256Prefix"
    > {
  readonly model: string;
  /** How surely the file is, or will be, the one that is meant. */
  readonly integrity: Integrity;
}

/**
 * The checkpoints of a model.
 *
 * @param options.cacheDir where checkpoints are kept; torchvision's own place by default.
 * @throws IsotorchError `INVALID_OPTION` for an unknown model, and where the account has no home directory.
 */
export async function listCheckpoints(
  options: { readonly cacheDir?: string },
  model: string = DEFAULT_MODEL,
): Promise<CatalogueEntry[]> {
  const folder = directory(options);
  const known = Object.entries(knownCheckpoints(model));
  return Promise.all(known.map(([name, checkpoint]) => placed(folder, name, checkpoint)));
}

/**
 * What is known of some models' checkpoints, and whether they are here; in the order of the models.
 *
 * @throws IsotorchError as {@link listCheckpoints}.
 */
export async function listModels(
  options: { readonly cacheDir?: string },
  models: readonly string[],
): Promise<ModelEntry[]> {
  const folder = directory(options);
  const known = models.flatMap((model) =>
    Object.entries(knownCheckpoints(model)).map(([name, checkpoint]) => ({ model, name, checkpoint })),
  );
  return Promise.all(
    known.map(async ({ model, name, checkpoint }) => {
      const place = await placed(folder, name, checkpoint);
      const { mebibytes, parameters, gflops, acc1, acc5, spec, licence, sha256, sha256Prefix } = checkpoint;
      const integrity = integrityOf(checkpoint, await notedHash(place.path));
      const figures = { mebibytes, parameters, gflops, acc1, acc5, spec, licence, sha256, sha256Prefix };
      return { model, ...place, ...figures, integrity };
    }),
  );
}

async function placed(
  folder: string,
  name: string,
  { url, bytes }: KnownCheckpoint,
): Promise<CatalogueEntry> {
  const path = join(folder, basename(new URL(url).pathname));
  const found = await stat(path).catch(() => undefined);
  return { name, url, path, bytes, here: found?.isFile() === true };
}
