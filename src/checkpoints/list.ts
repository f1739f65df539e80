/** The checkpoints that are known by name, each with the place where it is looked for. */
import { stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { directory } from "./resolve.ts";
import { knownCheckpoints } from "./table.ts";

export interface CatalogueEntry {
  readonly name: string;
  readonly url: string;
  readonly path: string;
  /** Size of the whole file; `null` where it is not known. */
  readonly bytes: number | null;
  /** Whether a file is at `path`; its hash is checked when it is loaded. */
  readonly here: boolean;
}

/**
 * @param options.cacheDir where checkpoints are kept; torchvision's own place by default.
 * @throws IsotorchError `INVALID_OPTION` where the account has no home directory for them.
 */
export async function listCheckpoints(
  options: { readonly cacheDir?: string },
  model = "resnet101",
): Promise<CatalogueEntry[]> {
  const folder = directory(options);
  return Promise.all(
    Object.entries(knownCheckpoints(model)).map(async ([name, { url, bytes }]) => {
      const path = join(folder, basename(new URL(url).pathname));
      const found = await stat(path).catch(() => undefined);
      return { name, url, path, bytes, here: found?.isFile() === true };
    }),
  );
}
