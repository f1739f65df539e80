import { shown, shownValue } from "../base/text/shown.ts";
import { stat } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { IsotorchError } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";
import { quoted } from "../python/command.ts";
import type { ProgressEvent } from "../base/progress.ts";
import { download, type DownloadTiming, hashFile } from "./download.ts";
import type { WireSpec } from "../protocol/messages.ts";
import { type Integrity, NOTE, integrityOf, noteHash, notedHash } from "./integrity.ts";
import {
  DEFAULT_MODEL,
  type KnownCheckpoint,
  type Licence,
  type WeightsName,
  defaultTransforms,
  isWeightsOf,
  knownCheckpoint,
  knownModel,
  unknownWeights,
} from "./table.ts";
import { mirrored } from "./mirror.ts";
import { ANOTHER_DIRECTORY, checkpointDirectory, surroundings } from "../python/surroundings.ts";

/** The weights whose preprocessing a checkpoint is used with, by torchvision's names. */
export type TransformsName =
  | "IMAGENET1K_V1"
  | "IMAGENET1K_V2"
  | "IMAGENET1K_SWAG_E2E_V1"
  | "IMAGENET1K_SWAG_LINEAR_V1";

/** A checkpoint file as the worker is told of it. */
export interface Checkpoint {
  /** The network that it is for, as torchvision names it. */
  readonly model: string | null;
  /** As it was asked for: `IMAGENET1K_V1`, `untrained:0`, a path. */
  readonly weights: string;
  /** Absolute path. It exists already, except for `untrained:SEED`, which the worker makes. */
  readonly path: string;
  /** Lower-case hex of the whole file; the worker checks it at each load. `null` where none is known. */
  readonly sha256: string | null;
  /** How surely the file is the one that is meant. */
  readonly integrity: Integrity;
  /** The seed of `untrained:SEED`, else `null`. */
  readonly seed: number | null;
  /** Null where preprocessing of one's own is given, or the file says which network's it is. */
  readonly transforms: TransformsName | null;
  /** Whether the network has learnt anything: not for `untrained:SEED`; `null` for a file of one's own, of which nobody knows. */
  readonly trained: boolean | null;
  /** The terms of weights that have their own, else `null`; also for a file of one's own, of which nobody knows. */
  readonly licence: Licence | null;
}

/** What resolving a checkpoint is told. */
export interface CheckpointOptions {
  /** The network, as torchvision names it. @default "resnet101" */
  readonly model?: string;
  /** The directory of downloaded and made checkpoints. @default torchvision's, under TORCH_HOME or ~/.cache/torch */
  readonly cacheDir?: string;
  /** Never download. @default whether ISOTORCH_OFFLINE is 1 */
  readonly offline?: boolean;
  /** Base URL of a mirror of the checkpoints. @default process.env.ISOTORCH_WEIGHTS_URL, else torchvision's servers */
  readonly mirror?: string;
  /** Full SHA-256 of the checkpoint, 64 hex digits. */
  readonly sha256?: string;
  /** Does nothing any more: a file of one's own is read without running anything of it. */
  readonly trustCheckpoint?: boolean;
  /**
   * @default the weights' own; for a path or `untrained:SEED` the model's IMAGENET1K_V1, or IMAGENET1K_SWAG_LINEAR_V1
   * where it has no V1
   */
  readonly transforms?: TransformsName | WireSpec;
  readonly onProgress?: (event: ProgressEvent) => void;
  /** Is warned of a licence before the weights that have it are downloaded. */
  readonly logger?: Pick<Logger, "warn">;
  readonly signal?: AbortSignal;
  readonly timing?: Partial<DownloadTiming>;
}

const LARGEST_SEED = 2 ** 32 - 1;
/** How files of checkpoints end. */
const FILES = [".pth", ".pt", ".bin", ".ckpt", ".safetensors"];

/**
 * The checkpoint file for a model's `weights`: a name from the table (downloaded when the cache has none),
 * `untrained:SEED`, or the path of a file of one's own.
 *
 * Rejects with `INVALID_OPTION` (unknown name, bad seed or hash), `WEIGHTS_NOT_FOUND` (no such file, or not there
 * while offline), `CHECKPOINT_CORRUPT`, `DOWNLOAD_FAILED` or `ABORTED`.
 */
export async function resolveCheckpoint(
  weights: string,
  options: CheckpointOptions = {},
): Promise<Checkpoint> {
  if (options.sha256 !== undefined && !/^[0-9a-f]{64}$/i.test(options.sha256)) {
    throw new IsotorchError(
      "INVALID_OPTION",
      `\`sha256\` is ${options.sha256.length} characters, expected 64 hex digits.`,
      {
        hint: "`sha256sum FILE` prints it",
      },
    );
  }
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(weights)) {
    throw new IsotorchError("INVALID_OPTION", "`weights` is a URL, expected a name or a path.", {
      hint: `Download it yourself and give its path: curl -LO ${weights}`,
    });
  }
  const isFile = isPath(weights);
  // A file says itself which model it is of.
  const asked = options.model ?? (isFile ? undefined : DEFAULT_MODEL);
  const model = asked === undefined ? undefined : knownModel(asked).name;
  const { transforms } = options;
  if (model !== undefined && typeof transforms === "string" && !isWeightsOf(model, transforms))
    throw unknownWeights("transforms", transforms, model);
  if (isFile || model === undefined) return custom(weights, model, options);
  const seed = seedOf(weights);
  if (seed !== undefined) return untrained(seed, model, options);
  return named(weights, model, options);
}

/**
 * The seed in `untrained:SEED`; undefined for weights that do not begin so.
 *
 * @throws IsotorchError `INVALID_OPTION` for a seed that is none.
 */
export function seedOf(weights: string): number | undefined {
  if (!/^untrained\b/.test(weights)) return undefined;
  const digits = /^untrained:(\d{1,10})$/.exec(weights)?.[1];
  const seed = Number(digits);
  if (digits === undefined || seed > LARGEST_SEED) {
    throw new IsotorchError(
      "INVALID_OPTION",
      `\`weights\` is ${shownValue(weights)}, expected untrained:SEED.`,
      {
        hint: `A seed is a whole number from 0 to ${LARGEST_SEED}, as in untrained:0`,
      },
    );
  }
  return seed;
}

function untrained(seed: number, model: string, options: CheckpointOptions): Checkpoint {
  return {
    model,
    weights: `untrained:${seed}`,
    path: join(directory(options), `${model}-untrained-${seed}.pth`),
    // Its maker notes the hash beside it, and the worker compares.
    sha256: null,
    integrity: "first use",
    seed,
    transforms: transformsOf(options, defaultTransforms(model)),
    trained: false,
    licence: null,
  };
}

async function custom(
  weights: string,
  model: string | undefined,
  options: CheckpointOptions,
): Promise<Checkpoint> {
  const path = resolve(weights);
  const found = await stat(path).catch(() => undefined);
  if (!found?.isFile()) {
    const what = found ? "is not a regular file" : "does not exist";
    throw new IsotorchError("WEIGHTS_NOT_FOUND", `The checkpoint ${shown(path)} ${what}.`, {
      hint: `Give the path of a state dict (${FILES.join(", ")}), or a name such as IMAGENET1K_V1`,
    });
  }
  const sha256 = options.sha256?.toLowerCase() ?? null;
  return {
    model: model ?? null,
    weights,
    path,
    sha256,
    integrity: sha256 === null ? "unpinned" : "pinned",
    seed: null,
    transforms: transformsOf(options, null),
    trained: null,
    licence: null,
  };
}

async function named(weights: string, model: string, options: CheckpointOptions): Promise<Checkpoint> {
  const known = knownCheckpoint(weights, model);
  const asked = options.sha256?.toLowerCase();
  const digits = known.sha256 ?? known.sha256Prefix;
  if (asked !== undefined && !asked.startsWith(digits)) {
    throw new IsotorchError(
      "INVALID_OPTION",
      `\`sha256\` is not that of ${shown(weights)}, which is ${digits}.`,
      {
        hint: "Leave `sha256` away for weights that are given by name",
      },
    );
  }
  const path = cachePath(known.url, options);
  const file = basename(path);
  const pinned = asked ?? known.sha256;
  const noted = pinned === null ? await notedHash(path) : null;
  if (noted !== null && !noted.startsWith(known.sha256Prefix)) throw otherNote(path, noted, known);
  const { onProgress, signal } = options;
  if (!(await isThere(path))) await fetchNamed(weights, model, known, path, pinned ?? noted, options);
  let sha256 = pinned ?? noted;
  if (sha256 === null) {
    sha256 = await hashWithPrefix(path, known, signal);
    await noteHash(path, sha256);
  }
  onProgress?.({ status: "ready", name: weights, file });
  return {
    model: model ?? null,
    weights,
    path,
    sha256,
    integrity: asked === undefined ? integrityOf(known, noted) : "pinned",
    seed: null,
    transforms: transformsOf(options, weights as WeightsName),
    trained: true,
    licence: known.licence,
  };
}

/** Downloads weights, whose licence is told first where they have their own. */
async function fetchNamed(
  weights: string,
  model: string,
  known: KnownCheckpoint,
  path: string,
  sha256: string | null,
  { offline, mirror, onProgress, logger, signal, timing }: CheckpointOptions,
): Promise<void> {
  if (offline ?? process.env["ISOTORCH_OFFLINE"] === "1") throw notThere(weights, path, known.url);
  const url = mirrored(known.url, basename(path), mirror);
  if (known.licence !== null)
    logger?.warn(
      `${model}'s ${weights} has a licence of its own, ${known.licence.name}: ${known.licence.url}`,
    );
  try {
    await download({
      ...known,
      name: weights,
      url,
      target: path,
      sha256,
      ...(onProgress && { onProgress }),
      ...(signal && { signal }),
      ...(timing && { timing }),
    });
  } catch (error) {
    const isNoted = sha256 !== null && known.sha256 === null;
    if (!isNoted || !(error instanceof IsotorchError) || error.code !== "CHECKPOINT_CORRUPT") throw error;
    throw new IsotorchError("CHECKPOINT_CORRUPT", error.message, {
      hint: `${error.hint}. The expected hash was noted at an earlier load, in ${path}${NOTE}`,
      cause: error,
    });
  }
}

/** A note that does not belong to weights of this name. */
function otherNote(path: string, noted: string, { sha256Prefix }: KnownCheckpoint): IsotorchError {
  return new IsotorchError(
    "CHECKPOINT_CORRUPT",
    `${shown(`${path}${NOTE}`)} notes the SHA-256 ${noted}, expected ${sha256Prefix}….`,
    {
      hint: `Remove both, and the next start downloads again: rm ${quoted(path)} ${quoted(`${path}${NOTE}`)}`,
    },
  );
}

/** Where only the first digits are known, the whole hash is taken here, so that the worker loads this very file. */
async function hashWithPrefix(path: string, known: KnownCheckpoint, signal?: AbortSignal): Promise<string> {
  const actual = await hashFile(path, signal);
  if (actual.startsWith(known.sha256Prefix)) return actual;
  throw new IsotorchError(
    "CHECKPOINT_CORRUPT",
    `${shown(path)} has SHA-256 ${actual}, expected ${known.sha256Prefix}….`,
    {
      hint: `Remove it, and the next start downloads it again: rm ${quoted(path)}`,
    },
  );
}

function notThere(weights: string, path: string, url: string): IsotorchError {
  return new IsotorchError(
    "WEIGHTS_NOT_FOUND",
    `${shown(weights)} is not in the cache, and downloading is switched off.`,
    {
      hint: `Put ${url} at ${path}, unset ISOTORCH_OFFLINE (or \`offline\`), or use --weights untrained:0`,
    },
  );
}

function cachePath(url: string, options: Pick<CheckpointOptions, "cacheDir">): string {
  return join(directory(options), basename(new URL(url).pathname));
}

/**
 * Where checkpoints are kept: as asked, else where torchvision keeps them.
 *
 * @throws IsotorchError `INVALID_OPTION` where nothing was asked and the account has no home directory.
 */
export function directory(options: Pick<CheckpointOptions, "cacheDir">): string {
  const folder = options.cacheDir ?? checkpointDirectory(surroundings());
  if (folder !== undefined) return resolve(folder);
  throw new IsotorchError("INVALID_OPTION", "This account has no home directory to keep checkpoints in.", {
    hint: `Name a directory: ${ANOTHER_DIRECTORY}`,
  });
}

/** Whether weights name a file: by a slash, or by how files of checkpoints end. */
export function isPath(weights: string): boolean {
  return /[\\/]/.test(weights) || FILES.some((ending) => weights.toLowerCase().endsWith(ending));
}

async function isThere(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isFile() ?? false;
}

/** The weights whose preprocessing was asked for, else those of `own`; null for preprocessing of one's own. */
function transformsOf(
  { transforms }: Pick<CheckpointOptions, "transforms">,
  own: TransformsName | null,
): TransformsName | null {
  return typeof transforms === "object" ? null : (transforms ?? own);
}
