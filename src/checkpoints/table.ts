import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { IsotorchError, messageOf } from "../base/errors.ts";
import { isRecord } from "../base/files/json.ts";

/** A checkpoint that is known by name. */
export interface KnownCheckpoint {
  readonly url: string;
  /** Full SHA-256, lower-case hex; `null` where only its beginning is published. */
  readonly sha256: string | null;
  /** The first digits of the SHA-256, as in the file's name. */
  readonly sha256Prefix: string | null;
  /** Size of the file; `null` where it is not known. */
  readonly bytes: number | null;
  /** Bytes that it has at most, by the rounded size that torchvision tells; absent where that is not known. */
  readonly maxBytes?: number;
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

const TABLE = fileURLToPath(new URL("../../models/checkpoints.json", import.meta.url));

/** The checkpoints of a model by torchvision's names. @throws IsotorchError `WEIGHTS_NOT_FOUND` for a damaged table. */
export function knownCheckpoints(model: string): Readonly<Record<string, KnownCheckpoint>> {
  return fromTable(model, (entries) =>
    Object.fromEntries(
      Object.entries(entries).map(([name, entry]) => [name, checkedCheckpoint(name, entry)]),
    ),
  );
}

/**
 * The preprocessing of known weights, for use without a worker; a worker's `ready` tells its own.
 * @throws IsotorchError `WEIGHTS_NOT_FOUND` for a damaged table.
 */
export function specOf(weights: string, model = "resnet101"): KnownSpec {
  return fromTable(model, (entries) => checkedSpec(weights, entries[weights]));
}

function fromTable<T>(model: string, read: (entries: Record<string, unknown>) => T): T {
  try {
    const table: unknown = JSON.parse(readFileSync(TABLE, "utf8"));
    return read(isRecord(table) && isRecord(table[model]) ? table[model] : {});
  } catch (cause) {
    throw new IsotorchError("WEIGHTS_NOT_FOUND", `The table of checkpoints is damaged: ${messageOf(cause)}`, {
      hint: `Install isotorch again: ${TABLE} belongs to it`,
      cause,
    });
  }
}

function checkedCheckpoint(name: string, entry: unknown): KnownCheckpoint {
  if (!isRecord(entry) || typeof entry["url"] !== "string") throw new Error(`${name} has no url`);
  const text = (key: string): string | null => (typeof entry[key] === "string" ? entry[key] : null);
  const [sha256, sha256Prefix] = [text("sha256"), text("sha256Prefix")];
  // An empty prefix would match any file.
  if (!sha256 && !sha256Prefix) throw new Error(`${name} has no hash`);
  const bytes = entry["bytes"] ?? entry["size"];
  const rounded = entry["mebibytes"];
  return {
    url: entry["url"],
    sha256,
    sha256Prefix,
    bytes: typeof bytes === "number" ? bytes : null,
    // To a thousandth of a MiB.
    ...(typeof rounded === "number" && { maxBytes: Math.ceil((rounded + 0.0005) * 2 ** 20) }),
  };
}

function checkedSpec(name: string, entry: unknown): KnownSpec {
  const spec = isRecord(entry) && isRecord(entry["spec"]) ? entry["spec"] : {};
  const { resize, crop, mean, std, interpolation } = spec;
  if (typeof resize === "number" && typeof crop === "number" && isTriple(mean) && isTriple(std)) {
    return { resize, crop, mean, std, interpolation: interpolation === "bicubic" ? "bicubic" : "bilinear" };
  }
  throw new Error(`${name} has no preprocessing`);
}

function isTriple(values: unknown): values is number[] {
  return Array.isArray(values) && values.length === 3 && values.every((value) => typeof value === "number");
}

export const DEFAULT_MODEL = "resnet101";

/** What `pretrained=True` gave. */
export function defaultWeights(_model: string): string {
  return "IMAGENET1K_V1";
}
