/** From `model` and `weights` to the files of a network of texts: its checkpoint, its configuration, its vocabulary. */
import { stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { IsotorchError } from "../../base/errors.ts";
import { invalid } from "../../base/options/check.ts";
import { shown, shownValue } from "../../base/text/shown.ts";
import { download, hashFile } from "../download.ts";
import { type Integrity, noteHash, notedHash } from "../integrity.ts";
import { byHubMirror, mirrored } from "../mirror.ts";
import { type CheckpointOptions, directory, isPath, seedOf } from "../resolve.ts";
import { DEFAULT_TEXT_MODEL, type KnownTextCheckpoint, knownTextModel, shippedFile } from "./table.ts";

/** The files of a network of texts, as absolute paths. */
export interface TextCheckpoint {
  /** The name that it is known by; null for a folder or file of one's own. */
  readonly model: string | null;
  /** As it was asked for: `pretrained`, `untrained:0`, a path. */
  readonly weights: string;
  /** It exists already, except for `untrained:SEED`, which the worker makes. */
  readonly path: string;
  /** The config.json. */
  readonly config: string;
  /** Lower-case hex of the whole checkpoint; the worker checks it at each load. Null where none is known. */
  readonly sha256: string | null;
  readonly integrity: Integrity;
  readonly seed: number | null;
  /** Whether the network has learnt anything: not for `untrained:SEED`; null for files of one's own. */
  readonly trained: boolean | null;
  /** Values that it has, by its name or by the size of its file; more rather than fewer. */
  readonly parameters: number;
  /** The folder of its tokenizer's files; null for GPT-2's own, which ships. */
  readonly tokenizer: string | null;
}

export type TextCheckpointOptions = Omit<CheckpointOptions, "transforms" | "trustCheckpoint">;

/**
 * The files for a model's `weights`: `pretrained`, `untrained:SEED`, a folder with `config.json`, `model.safetensors` and the
 * tokenizer's files, or a `.safetensors` file, which is of `model`'s shape unless a `config.json` lies beside it.
 *
 * Rejects with `INVALID_OPTION` (unknown model, bad seed), `WEIGHTS_NOT_FOUND` (no such file, or not there while offline),
 * `CHECKPOINT_CORRUPT`, `DOWNLOAD_FAILED` or `ABORTED`.
 */
export async function resolveTextCheckpoint(
  weights: string,
  options: TextCheckpointOptions = {},
): Promise<TextCheckpoint> {
  const sha256 = options.sha256?.toLowerCase() ?? null;
  if (isFolder(weights)) return own(weights, sha256, options.model);
  const model = options.model ?? DEFAULT_TEXT_MODEL;
  const known = knownTextModel(model);
  const folder = shippedFile(known.url === null ? model : "gpt2");
  const config = join(folder, known.url === null ? "config.json" : `${model}.config.json`);
  const tokenizer = known.url === null ? folder : null;
  const { parameters } = known;
  const common = { model, weights, config, tokenizer, parameters };
  const seed = seedOf(weights);
  if (seed !== undefined) {
    const path = join(directory(options), `${model}-untrained-${seed}.safetensors`);
    return { ...common, path, sha256: null, integrity: "first use", seed, trained: false };
  }
  if (weights !== "pretrained")
    throw invalid(
      `\`weights\` is ${shownValue(weights)}, expected pretrained, untrained:SEED, a folder or a .safetensors file.`,
    );
  return { ...common, ...(await pretrained(model, known, sha256, options)), seed: null, trained: true };
}

/** The one that ships, or OpenAI's, downloaded where the cache has none. */
async function pretrained(
  model: string,
  known: KnownTextCheckpoint,
  asked: string | null,
  options: TextCheckpointOptions,
): Promise<Pick<TextCheckpoint, "path" | "sha256" | "integrity">> {
  const pinned = asked ?? known.sha256;
  if (known.url === null)
    return { path: shippedFile(`${model}/model.safetensors`), sha256: pinned, integrity: "pinned" };
  const path = join(directory(options), `${model}.safetensors`);
  const noted = pinned === null ? await notedHash(path) : null;
  const { onProgress, signal, timing } = options;
  if (!(await isFile(path))) {
    const url = addressOf(known.url, `${model}.safetensors`, options.mirror);
    if (options.offline ?? process.env["ISOTORCH_OFFLINE"] === "1") throw notThere(model, path, url);
    await download({
      name: model,
      url,
      target: path,
      sha256: pinned ?? noted,
      bytes: known.bytes,
      // Four bytes for each value, and the masks that older files have for each layer.
      maxBytes: known.bytes ?? 6 * known.parameters,
      ...(onProgress && { onProgress }),
      ...(signal && { signal }),
      ...(timing && { timing }),
    });
  }
  onProgress?.({ status: "ready", name: model, file: `${model}.safetensors` });
  if (pinned !== null) return { path, sha256: pinned, integrity: "pinned" };
  if (noted !== null) return { path, sha256: noted, integrity: "first use" };
  const sha256 = await hashFile(path, signal);
  await noteHash(path, sha256);
  return { path, sha256, integrity: "first use" };
}

function addressOf(url: string, file: string, mirror: string | undefined): string {
  const elsewhere = mirrored(url, file, mirror);
  return elsewhere === url ? byHubMirror(url) : elsewhere;
}

/** A folder as `save_pretrained` writes it, or the checkpoint of one. */
async function own(
  weights: string,
  sha256: string | null,
  model: string | undefined,
): Promise<TextCheckpoint> {
  const given = resolve(weights);
  const found = await stat(given).catch(() => undefined);
  if (found === undefined)
    throw new IsotorchError("WEIGHTS_NOT_FOUND", `${shown(given)} does not exist.`, {
      hint: "Give a folder with config.json, model.safetensors, vocab.json and merges.txt, or a .safetensors file",
    });
  const folder = found.isDirectory() ? given : dirname(given);
  const path = found.isDirectory() ? join(given, "model.safetensors") : given;
  const size = (await stat(path).catch(() => undefined))?.size;
  if (size === undefined)
    throw new IsotorchError("WEIGHTS_NOT_FOUND", `There is no model.safetensors in ${shown(folder)}.`, {
      hint: "Save it with `model.save_pretrained(folder, safe_serialization=True)`; pickles are not read",
    });
  const config = join(folder, "config.json");
  // A value has two bytes at least.
  const common = { weights, path, sha256, seed: null, trained: null, parameters: size / 2 } as const;
  const integrity: Integrity = sha256 === null ? "unpinned" : "pinned";
  if (await isFile(config)) {
    const hasTokenizer =
      (await isFile(join(folder, "merges.txt"))) || (await isFile(join(folder, "tokenizer.json")));
    return { ...common, integrity, model: null, config, tokenizer: hasTokenizer ? folder : null };
  }
  if (model === undefined || knownTextModel(model).url === null)
    throw new IsotorchError("WEIGHTS_NOT_FOUND", `There is no config.json beside ${shown(path)}.`, {
      hint: 'Put it there, or name the shape with `model`: "gpt2", "gpt2-medium", "gpt2-large" or "gpt2-xl"',
    });
  return { ...common, integrity, model, config: shippedFile(`gpt2/${model}.config.json`), tokenizer: null };
}

/** Whether weights name files of one's own: by a slash, a leading dot, or how such files end. */
function isFolder(weights: string): boolean {
  return isPath(weights) || weights.startsWith(".");
}

async function isFile(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isFile() ?? false;
}

function notThere(model: string, path: string, url: string): IsotorchError {
  return new IsotorchError(
    "WEIGHTS_NOT_FOUND",
    `${model} is not in the cache, and downloading is switched off.`,
    {
      hint: `Put ${url} at ${path}, unset ISOTORCH_OFFLINE (or \`offline\`), or use model "tiny", which ships`,
    },
  );
}
