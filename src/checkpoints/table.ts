/** torchvision's classifiers and their weights, from `models/torchvision.json`. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { IsotorchError, messageOf } from "../base/errors.ts";
import { isRecord } from "../base/files/json.ts";
import { invalid } from "../base/options/check.ts";
import { didYouMean } from "../base/options/suggest.ts";
import { shownValue } from "../base/text/shown.ts";

/** What torchvision names the weights of its classifiers. */
export type WeightsName = (typeof WEIGHTS_NAMES)[number];

const WEIGHTS_NAMES = [
  "IMAGENET1K_V1",
  "IMAGENET1K_V2",
  "IMAGENET1K_SWAG_E2E_V1",
  "IMAGENET1K_SWAG_LINEAR_V1",
] as const;

/** Whether it is one of them. */
export function isWeightsName(name: string): name is WeightsName {
  return (WEIGHTS_NAMES as readonly string[]).includes(name);
}

/** A network that is known by torchvision's name. */
export interface KnownModel {
  readonly name: string;
  /** The layer that makes the logits; `features` values of each picture go into it, which are its embedding. */
  readonly head: { readonly name: string; readonly type: "Linear" | "Conv2d"; readonly features: number };
  /** The first torchvision that has it. */
  readonly since: string;
  /** Its weights by torchvision's names, in torchvision's order. */
  readonly weights: Readonly<Record<string, KnownCheckpoint>>;
}

/** The terms of weights that have their own. */
export interface Licence {
  /** SPDX's name. */
  readonly name: string;
  readonly url: string;
}

/** A checkpoint that is known by name. */
export interface KnownCheckpoint {
  readonly url: string;
  /** Full SHA-256, lower-case hex; `null` where only its beginning is known. */
  readonly sha256: string | null;
  /** The first digits of the SHA-256, as in the file's name: 8 or 10. */
  readonly sha256Prefix: string;
  /** Size of the file; `null` where it is not known exactly. */
  readonly bytes: number | null;
  /** Size of the file as torchvision rounds it, MiB; `null` where it is not known. */
  readonly mebibytes: number | null;
  /** Bytes that it has at most, by that rounded size; absent where that is not known. */
  readonly maxBytes?: number;
  readonly parameters: number;
  /** Of one picture; `null` where it is not known. */
  readonly gflops: number | null;
  /** On ImageNet's validation pictures, percent, as torchvision publishes it. */
  readonly acc1: number;
  readonly acc5: number;
  /** Height and width that a picture has at least after preprocessing, pixels. */
  readonly minSize: readonly number[];
  readonly classes: number;
  /** `null` where torchvision names none for these weights. */
  readonly licence: Licence | null;
  readonly spec: KnownSpec;
}

/** The preprocessing that belongs to weights, as torchvision gives it. */
export interface KnownSpec {
  /** Length of the shorter side after resizing, pixels. */
  readonly resize: number;
  /** Side of the square that is kept, pixels. */
  readonly crop: number;
  /** Mean per channel (R, G, B), on the 0..1 scale. */
  readonly mean: readonly number[];
  /** Standard deviation per channel (R, G, B), on the 0..1 scale. */
  readonly std: readonly number[];
  readonly interpolation: "bilinear" | "bicubic";
}

/** The model where none is named. */
export const DEFAULT_MODEL = "resnet101";
const V1 = "IMAGENET1K_V1";
/** Trained for the network as torchvision builds it, at 224 pixels, where the other SWAG weights have a larger one. */
const SWAG_LINEAR = "IMAGENET1K_SWAG_LINEAR_V1";
const TABLE = fileURLToPath(new URL("../../models/torchvision.json", import.meta.url));

let read: ReadonlyMap<string, KnownModel> | undefined;

/** Every known model, in alphabetical order. @throws IsotorchError `WEIGHTS_NOT_FOUND` for a damaged table. */
export function modelNames(): string[] {
  return [...models().keys()];
}

/**
 * A model of torchvision's.
 * @throws IsotorchError `INVALID_OPTION` for an unknown name, with the nearest known one; `WEIGHTS_NOT_FOUND` for a damaged table.
 */
export function knownModel(name: string): KnownModel {
  const known = models().get(name);
  if (known !== undefined) return known;
  const meant = didYouMean(name, modelNames());
  throw invalid(
    `\`model\` is ${shownValue(name)}, which is not known.`,
    `${meant === undefined ? "" : `${meant} `}\`npx isotorch models\` lists the ${models().size} that are known`,
  );
}

/** The checkpoints of a model by torchvision's names. @throws IsotorchError as {@link knownModel}. */
export function knownCheckpoints(model: string): Readonly<Record<string, KnownCheckpoint>> {
  return knownModel(model).weights;
}

/** A checkpoint of a model. @throws IsotorchError `INVALID_OPTION` for an unknown name, listing the known ones. */
export function knownCheckpoint(weights: string, model: string): KnownCheckpoint {
  const found = isWeightsOf(model, weights) ? knownCheckpoints(model)[weights] : undefined;
  if (found === undefined) throw unknownWeights("weights", weights, model);
  return found;
}

/** Whether a model has weights of this name. @throws IsotorchError as {@link knownModel}. */
export function isWeightsOf(model: string, weights: string): boolean {
  return Object.hasOwn(knownCheckpoints(model), weights);
}

/**
 * The preprocessing of known weights, for use without a worker; a worker's `ready` tells its own.
 * @throws IsotorchError `INVALID_OPTION` for an unknown name, listing the known ones.
 */
export function specOf(weights: string, model: string = DEFAULT_MODEL): KnownSpec {
  return knownCheckpoint(weights, model).spec;
}

/**
 * The weights of a model where none are named: IMAGENET1K_V1, which is what `pretrained=True` gave.
 * @throws IsotorchError `INVALID_OPTION` for vit_h_14 and regnet_y_128gf, whose weights all have a licence of their own.
 */
export function defaultWeights(model: string): WeightsName {
  const names = Object.keys(knownCheckpoints(model));
  if (names.includes(V1)) return V1;
  throw invalid(`${model} has no ${V1}; name its weights.`, `Known are ${names.join(", ")}`);
}

/** Whose preprocessing a file of one's own and untrained weights take where none is named. @throws IsotorchError as {@link knownModel}. */
export function defaultTransforms(model: string): WeightsName {
  return isWeightsOf(model, V1) ? V1 : SWAG_LINEAR;
}

/** What is thrown for an option that names weights which a model does not have. */
export function unknownWeights(option: string, given: string, model: string): IsotorchError {
  const known = Object.keys(knownCheckpoints(model));
  const isDefault = given === "DEFAULT";
  const message = isDefault
    ? `\`${option}\` is DEFAULT, which means other weights in other versions of torchvision.`
    : `\`${option}\` is ${shownValue(given)}, which ${model} does not have.`;
  const newest = known.includes("IMAGENET1K_V2") ? "Say IMAGENET1K_V2 for the newest." : undefined;
  const lead = isDefault ? newest : didYouMean(given, known, (name) => name);
  const more = option === "weights" ? `, untrained:SEED, and the path of a checkpoint such as mine.pth` : "";
  return invalid(message, `${lead === undefined ? "" : `${lead} `}Known are ${known.join(", ")}${more}`);
}

function models(): ReadonlyMap<string, KnownModel> {
  if (read !== undefined) return read;
  try {
    const table: unknown = JSON.parse(readFileSync(TABLE, "utf8"));
    const entries = isRecord(table) && isRecord(table["models"]) ? Object.entries(table["models"]) : [];
    if (entries.length === 0) throw new Error("it has no models");
    return (read = new Map(entries.map(([name, entry]) => [name, checkedModel(name, entry)])));
  } catch (cause) {
    throw new IsotorchError("WEIGHTS_NOT_FOUND", `The table of checkpoints is damaged: ${messageOf(cause)}`, {
      hint: `Install isotorch again: ${TABLE} belongs to it`,
      cause,
    });
  }
}

function checkedModel(name: string, entry: unknown): KnownModel {
  if (!isRecord(entry) || !isRecord(entry["head"]) || !isRecord(entry["weights"]))
    throw new Error(`${name} has no head or no weights`);
  const { head, since, weights } = entry as unknown as KnownModel;
  const checked = Object.entries(weights).map(
    ([key, value]) => [key, checkedCheckpoint(key, value)] as const,
  );
  return { name, head, since, weights: Object.fromEntries(checked) };
}

function checkedCheckpoint(name: string, entry: unknown): KnownCheckpoint {
  if (!isRecord(entry) || typeof entry["url"] !== "string") throw new Error(`${name} has no url`);
  // An empty prefix would match any file.
  if (!/^[0-9a-f]{8,}$/.test(String(entry["sha256Prefix"]))) throw new Error(`${name} has no hash`);
  if (!isSpec(entry["spec"])) throw new Error(`${name} has no preprocessing`);
  const known = entry as unknown as KnownCheckpoint;
  if (known.mebibytes === null) return known;
  // To a thousandth of a MiB.
  return { ...known, maxBytes: known.bytes ?? Math.ceil((known.mebibytes + 0.0005) * 2 ** 20) };
}

function isSpec(spec: unknown): boolean {
  if (!isRecord(spec)) return false;
  const { resize, crop, mean, std, interpolation } = spec;
  const hasSizes = typeof resize === "number" && typeof crop === "number";
  return (
    hasSizes && isTriple(mean) && isTriple(std) && ["bilinear", "bicubic"].includes(String(interpolation))
  );
}

function isTriple(values: unknown): boolean {
  return Array.isArray(values) && values.length === 3 && values.every((value) => typeof value === "number");
}
