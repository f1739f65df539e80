import { withoutEnd } from "../base/text/trim.ts";
import { shown, shownValue } from "../base/text/shown.ts";
import { stat } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { IsotorchError } from "../base/errors.ts";
import { didYouMean } from "../base/options/suggest.ts";
import { quoted } from "../python/command.ts";
import type { ProgressEvent } from "../base/progress.ts";
import { download, type DownloadTiming, hashFile, HUB } from "./download.ts";
import type { WireSpec } from "../protocol/messages.ts";
import { type KnownCheckpoint, knownCheckpoints } from "./table.ts";
import { ANOTHER_DIRECTORY, checkpointDirectory, surroundings } from "../python/surroundings.ts";

export { specOf } from "./table.ts";

/** The weights whose preprocessing a checkpoint is used with, by torchvision's names. */
export type TransformsName = "IMAGENET1K_V1" | "IMAGENET1K_V2" | (string & {});

/** A checkpoint file as the worker is told of it. */
export interface Checkpoint {
  /** As it was asked for: `IMAGENET1K_V1`, `untrained:0`, a path. */
  readonly weights: string;
  /** Absolute path. It exists already, except for `untrained:SEED`, which the worker makes. */
  readonly path: string;
  /** Lower-case hex of the whole file; the worker checks it at each load. `null` where none is known. */
  readonly sha256: string | null;
  /** Whether the caller vouches for a file without a hash. */
  readonly trust: boolean;
  /** The seed of `untrained:SEED`, else `null`. */
  readonly seed: number | null;
  /** Null where preprocessing of one's own is given, or the file says which network's it is. */
  readonly transforms: TransformsName | null;
  /** Whether the network has learnt anything: not for `untrained:SEED`; `null` for a file of one's own, of which nobody knows. */
  readonly trained: boolean | null;
}

/** What resolving a checkpoint is told. */
export interface CheckpointOptions {
  /** The directory of downloaded and made checkpoints. @default torchvision's, under TORCH_HOME or ~/.cache/torch */
  readonly cacheDir?: string;
  /** Never download. @default whether ISOTORCH_OFFLINE is 1 */
  readonly offline?: boolean;
  /** Base URL of a mirror of the checkpoints. @default process.env.ISOTORCH_WEIGHTS_URL, else torchvision's servers */
  readonly mirror?: string;
  /** Full SHA-256 of the checkpoint, 64 hex digits. */
  readonly sha256?: string;
  /** Load a file of one's own without a hash. @default false */
  readonly trustCheckpoint?: boolean;
  /** @default the weights' own; `IMAGENET1K_V1` for a path or `untrained:SEED` */
  readonly transforms?: TransformsName | WireSpec;
  readonly onProgress?: (event: ProgressEvent) => void;
  readonly signal?: AbortSignal;
  readonly timing?: Partial<DownloadTiming>;
}

const MODEL = "resnet101";
const LARGEST_SEED = 2 ** 32 - 1;

/**
 * The checkpoint file for `weights`: a name from the table (downloaded when the cache has none), `untrained:SEED`,
 * or the path of a `.pth`.
 *
 * Rejects with `INVALID_OPTION` (unknown name, bad seed or hash), `WEIGHTS_NOT_FOUND` (no such file, or not there
 * while offline), `CHECKPOINT_UNTRUSTED` (a file of one's own with neither hash nor trust), `CHECKPOINT_CORRUPT`,
 * `DOWNLOAD_FAILED` or `ABORTED`.
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
  if (/^untrained\b/.test(weights) && !isPath(weights)) return untrained(weights, options);
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(weights)) {
    throw new IsotorchError("INVALID_OPTION", "`weights` is a URL, expected a name or a path.", {
      hint: `Download it yourself and give its path: curl -LO ${weights}`,
    });
  }
  return isPath(weights) ? custom(weights, options) : named(weights, options);
}

/** The seed in `untrained:SEED`; any other text is refused. */
function untrained(weights: string, options: CheckpointOptions): Checkpoint {
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
  const path = join(directory(options), `${MODEL}-untrained-${seed}.pth`);
  const transforms = transformsOf(options, "IMAGENET1K_V1");
  return { weights: `untrained:${seed}`, path, sha256: null, trust: false, seed, transforms, trained: false };
}

async function custom(weights: string, options: CheckpointOptions): Promise<Checkpoint> {
  const path = resolve(weights);
  const found = await stat(path).catch(() => undefined);
  if (!found?.isFile()) {
    const what = found ? "is not a regular file" : "does not exist";
    throw new IsotorchError("WEIGHTS_NOT_FOUND", `The checkpoint ${shown(path)} ${what}.`, {
      hint: "Give the path of a .pth state dict, or a name such as IMAGENET1K_V1",
    });
  }
  const sha256 = options.sha256?.toLowerCase() ?? null;
  const trust = options.trustCheckpoint === true;
  if (sha256 === null && !trust) {
    const tool =
      process.platform === "win32" ? `certutil -hashfile "${path}" SHA256` : `sha256sum ${quoted(path)}`;
    throw new IsotorchError(
      "CHECKPOINT_UNTRUSTED",
      `Loading ${shown(path)} may run code that is hidden in it.`,
      {
        hint: `Give its hash with \`sha256\` (\`${tool}\` prints it), or set \`trustCheckpoint: true\` if you made it`,
      },
    );
  }
  return {
    weights,
    path,
    sha256,
    trust,
    seed: null,
    transforms: transformsOf(options, null),
    trained: null,
  };
}

async function named(weights: string, options: CheckpointOptions): Promise<Checkpoint> {
  const table = knownCheckpoints(MODEL);
  const known = Object.hasOwn(table, weights) ? table[weights] : undefined;
  if (!known) throw unknownName(weights, Object.keys(table));
  const asked = options.sha256?.toLowerCase();
  const pinned = known.sha256 ?? known.sha256Prefix ?? "";
  if (asked !== undefined && !asked.startsWith(pinned)) {
    throw new IsotorchError(
      "INVALID_OPTION",
      `\`sha256\` is not that of ${shown(weights)}, which is ${pinned}.`,
      {
        hint: "Leave `sha256` away for weights that are given by name",
      },
    );
  }
  const path = cachePath(known.url, options);
  const file = basename(path);
  const { onProgress, signal, timing } = options;
  if (!(await isThere(path))) {
    if (options.offline ?? process.env["ISOTORCH_OFFLINE"] === "1") throw notThere(weights, path, known.url);
    await download({
      ...known,
      name: weights,
      url: mirrored(known.url, file, options.mirror),
      target: path,
      sha256: asked ?? known.sha256,
      ...(onProgress && { onProgress }),
      ...(signal && { signal }),
      ...(timing && { timing }),
    });
  }
  const sha256 = asked ?? known.sha256 ?? (await hashWithPrefix(path, known, signal));
  onProgress?.({ status: "ready", name: weights, file });
  const transforms = transformsOf(options, weights);
  return { weights, path, sha256, trust: false, seed: null, transforms, trained: true };
}

/** Where only the first digits are known, the whole hash is taken here, so that the worker loads this very file. */
async function hashWithPrefix(path: string, known: KnownCheckpoint, signal?: AbortSignal): Promise<string> {
  const actual = await hashFile(path, signal);
  if (actual.startsWith(known.sha256Prefix ?? "")) return actual;
  throw new IsotorchError(
    "CHECKPOINT_CORRUPT",
    `${shown(path)} has SHA-256 ${actual}, expected ${known.sha256Prefix}….`,
    {
      hint: `Remove it, and the next start downloads it again: rm ${quoted(path)}`,
    },
  );
}

function unknownName(weights: string, known: readonly string[]): IsotorchError {
  const names = [...known, "untrained:SEED"].join(", ");
  const message =
    weights === "DEFAULT"
      ? "`weights` is DEFAULT, which means other weights in other versions of torchvision."
      : `\`weights\` is ${JSON.stringify(weights)}, which is not known.`;
  const lead =
    weights === "DEFAULT" ? "Say IMAGENET1K_V2 for the newest." : didYouMean(weights, known, (name) => name);
  const hint = `${lead === undefined ? "" : `${lead} `}Known are ${names}, and the path of a .pth file`;
  return new IsotorchError("INVALID_OPTION", message, { hint });
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

/** The same file at the mirror that the option or `ISOTORCH_WEIGHTS_URL` names, where either does. */
function mirrored(url: string, file: string, mirror: string | undefined): string {
  const base = mirror ?? process.env["ISOTORCH_WEIGHTS_URL"];
  if (!base) return url;
  const whole = `${withoutEnd(base, "/")}/${file}`;
  if (isHttp(whole)) return byHubMirror(whole);
  const name = mirror === undefined ? "ISOTORCH_WEIGHTS_URL" : "`mirror`";
  throw new IsotorchError("INVALID_OPTION", `${shown(name)} is ${shownValue(base)}, expected an http URL.`, {
    hint: "As in https://mirror.example/models, below which the file has torchvision's name",
  });
}

/** An address of the Hugging Face hub at the mirror of it that `HF_ENDPOINT` names, as its own tools take it. */
function byHubMirror(url: string): string {
  const endpoint = process.env["HF_ENDPOINT"];
  const { hostname, pathname, search } = new URL(url);
  if (!endpoint || hostname !== HUB) return url;
  const whole = `${withoutEnd(endpoint, "/")}${pathname}${search}`;
  if (isHttp(whole)) return whole;
  throw new IsotorchError("INVALID_OPTION", `HF_ENDPOINT is ${shownValue(endpoint)}, expected an http URL.`, {
    hint: "As in HF_ENDPOINT=https://hf-mirror.com",
  });
}

function isHttp(address: string): boolean {
  return URL.canParse(address) && /^https?:/.test(address);
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

export function isPath(weights: string): boolean {
  return /[\\/]/.test(weights) || /\.pth?$/i.test(weights);
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
