/** HuggingFace's `tokenizer.json`: read where it says what is done here, and refused where it says something else. */
import { isRecord } from "../base/files/json.ts";
import { shownValue } from "../base/text/shown.ts";
import { byId, isVocab, mergesOf, readMerges } from "./formats.ts";
import { bad } from "./vocabulary.ts";
import type { Vocabulary, Written } from "./vocabulary.ts";

/** What a file may say in each place, besides what is not there or null. */
const MODEL: Readonly<Record<string, readonly unknown[]>> = {
  type: ["BPE"],
  dropout: [],
  unk_token: [],
  continuing_subword_prefix: [""],
  end_of_word_suffix: [""],
  fuse_unk: [false, true],
  byte_fallback: [false],
  ignore_merges: [false],
};
const WHOLE: Readonly<Record<string, readonly unknown[]>> = {
  truncation: [],
  padding: [],
  normalizer: [],
};
const PRE_TOKENIZER: Readonly<Record<string, readonly unknown[]>> = {
  type: ["ByteLevel"],
  add_prefix_space: [false],
  use_regex: [true],
};
/** Of a token that is added: that it is found wherever it stands, as it stands. */
const ADDED: Readonly<Record<string, readonly unknown[]>> = {
  single_word: [false],
  lstrip: [false],
  rstrip: [false],
  special: [true],
};

/** What a `tokenizer.json` says. @throws IsotorchError `BAD_VOCABULARY`. */
export function readTokenizerJson(file: Readonly<Record<string, unknown>>): Written {
  const { model, pre_tokenizer: split, post_processor: after, decoder, added_tokens: added } = file;
  if (!isRecord(model) || !isVocab(model["vocab"]) || !Array.isArray(model["merges"]))
    throw bad("tokenizer.json has no BPE model with its ids and merges.");
  compare(model, MODEL, "model");
  compare(file, WHOLE, "");
  if (!isRecord(split)) throw other("pre_tokenizer", split);
  compare(split, PRE_TOKENIZER, "pre_tokenizer");
  for (const [name, part] of Object.entries({ post_processor: after, decoder })) {
    if (part !== null && part !== undefined && !(isRecord(part) && part["type"] === "ByteLevel"))
      throw other(name, part);
  }
  const special = specialOf(added);
  return {
    merges: mergesIn(model["merges"]),
    vocab: { ...model["vocab"], ...special },
    specialTokens: Object.keys(special),
  };
}

/** Either of the two ways in which merges are written. */
function mergesIn(merges: readonly unknown[]): Written["merges"] {
  return merges.map((merge) => {
    if (typeof merge === "string") return readMerges(`#version\n${merge}`)[0] ?? ["", ""];
    if (Array.isArray(merge) && merge.length === 2 && merge.every((part) => typeof part === "string"))
      return merge as unknown as [string, string];
    throw other("model.merges", merge);
  });
}

function specialOf(added: unknown): Record<string, number> {
  const tokens: unknown[] = Array.isArray(added) ? added : [];
  const found = tokens.map((token) => {
    if (!isRecord(token)) throw other("added_tokens", token);
    const { content, id } = token;
    if (typeof content !== "string" || content === "" || typeof id !== "number")
      throw other("added_tokens", token);
    compare(token, ADDED, "added_tokens");
    return [content, id] as const;
  });
  return Object.fromEntries(found);
}

function compare(
  record: Readonly<Record<string, unknown>>,
  known: Readonly<Record<string, readonly unknown[]>>,
  place: string,
): void {
  for (const [name, values] of Object.entries(known)) {
    const value = record[name];
    if (value === null || value === undefined || values.includes(value)) continue;
    throw other(place === "" ? name : `${place}.${name}`, value);
  }
}

function other(place: string, value: unknown): Error {
  return bad(
    `tokenizer.json has ${shownValue(value, 80)} as ${place}, which would be done in another way than GPT-2 does it.`,
    "Only byte-level BPE with GPT-2's split is read here.",
  );
}

/** The file's value, as HuggingFace's `tokenizers` reads it. */
export function tokenizerJson(vocabulary: Vocabulary): Record<string, unknown> {
  const byteLevel = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true };
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: byId(vocabulary.special).map(([content, id]) => ({
      id,
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    })),
    normalizer: null,
    pre_tokenizer: byteLevel,
    post_processor: byteLevel,
    decoder: byteLevel,
    model: {
      type: "BPE",
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: "",
      end_of_word_suffix: "",
      fuse_unk: false,
      byte_fallback: false,
      vocab: Object.fromEntries(byId(vocabulary.ids)),
      // As lines, which every version of `tokenizers` reads.
      merges: mergesOf(vocabulary).map((pair) => pair.join(" ")),
    },
  };
}
