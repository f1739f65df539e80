/** What tiktoken and HuggingFace's tokenizers make of a few texts: `test/fixtures/text/make_golden.py` recorded it. */
import { readFileSync } from "node:fs";

export interface Corpus {
  readonly texts: readonly string[];
  readonly vocabSize: number;
  readonly minFrequency: number;
  readonly specialTokens: readonly string[];
  /** By `BpeTrainer`. */
  readonly merges: readonly (readonly [string, string])[];
  readonly vocab: Readonly<Record<string, number>>;
  /** By minbpe's rule, without special tokens. */
  readonly firstSeen: readonly (readonly [string, string])[];
}

export interface Golden {
  readonly encode: readonly { readonly text: string; readonly ids: readonly number[] }[];
  readonly encodeSpecial: Golden["encode"];
  readonly decode: Golden["encode"];
  readonly train: readonly Corpus[];
}

export const FOLDER: URL = new URL("../fixtures/text/", import.meta.url);
export const GOLDEN: Golden = JSON.parse(readFileSync(new URL("golden.json", FOLDER), "utf8")) as Golden;
