/** The networks of texts that are known by name, from `models/gpt2/checkpoints.json`. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { invalid } from "../../base/options/check.ts";
import { didYouMean } from "../../base/options/suggest.ts";
import { shownValue } from "../../base/text/shown.ts";

export const DEFAULT_TEXT_MODEL = "gpt2";

/** A checkpoint that is known by name: OpenAI's, as the Hugging Face hub keeps it, or the one that ships. */
export interface KnownTextCheckpoint {
  /** Null for the one that ships. */
  readonly url: string | null;
  /** Full SHA-256, lower-case hex; null where it is noted at the first load. */
  readonly sha256: string | null;
  /** Size of the file; null where it is not known. */
  readonly bytes: number | null;
  readonly parameters: number;
}

const FOLDER = new URL("../../../models/", import.meta.url);
const TABLE = JSON.parse(readFileSync(new URL("gpt2/checkpoints.json", FOLDER), "utf8")) as Readonly<
  Record<string, KnownTextCheckpoint>
>;

/** Every name that `model` may be. */
export function textModelNames(): string[] {
  return Object.keys(TABLE);
}

/** A file of the package, below `models/`, as a path. */
export function shippedFile(name: string): string {
  return fileURLToPath(new URL(name, FOLDER));
}

/**
 * What is known of the checkpoint of this name.
 *
 * @throws IsotorchError `INVALID_OPTION` for a name that there is not.
 */
export function knownTextModel(name: string): KnownTextCheckpoint {
  const known = Object.hasOwn(TABLE, name) ? TABLE[name] : undefined;
  if (known !== undefined) return known;
  throw invalid(
    `\`model\` is ${shownValue(name)}, expected one of ${textModelNames().join(", ")}.`,
    didYouMean(name, textModelNames()),
  );
}
