/** The files of a vocabulary as text: `merges.txt` (OpenAI's `vocab.bpe` is one) and `vocab.json`. */
import { messageOf } from "../base/errors.ts";
import { isRecord } from "../base/files/json.ts";
import { excerpt, shown } from "../base/text/shown.ts";
import { bad } from "./vocabulary.ts";
import type { Vocabulary, Written } from "./vocabulary.ts";

const VERSION = "#version: 0.2";

/** The merges of a `merges.txt`, one a line. @throws IsotorchError `BAD_VOCABULARY`. */
export function readMerges(text: string): Written["merges"] {
  const lines = text.split(/\r?\n/);
  if (lines.at(-1) === "") lines.pop();
  const first = lines[0]?.startsWith("#version") === true ? 1 : 0;
  return lines.slice(first).map((line, at) => {
    const [left = "", right = "", ...others] = line.split(" ");
    if (left !== "" && right !== "" && others.length === 0) return [left, right];
    throw bad(
      `Line ${first + at + 1} of the merges is "${excerpt(line)}", expected two tokens with a blank between.`,
    );
  });
}

/** The ids of a `vocab.json`. @throws IsotorchError `BAD_VOCABULARY`. */
export function readVocab(text: string): Readonly<Record<string, number>> {
  const value = jsonOf(text, "vocab.json");
  if (isVocab(value)) return value;
  throw bad("vocab.json is no object of ids.");
}

/** Whether a value has numbers alone. That they are ids is seen later. */
export function isVocab(value: unknown): value is Record<string, number> {
  return isRecord(value) && Object.values(value).every((id) => typeof id === "number");
}

/** @throws IsotorchError `BAD_VOCABULARY` for what is no JSON. @param name of the file. */
export function jsonOf(text: string, name: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    throw bad(`${shown(name)} is no JSON: ${messageOf(cause)}.`);
  }
}

/** The merges in GPT-2's letters, in order. */
export function mergesOf({ merges, names }: Vocabulary): [left: string, right: string][] {
  return Array.from({ length: merges.length }, (_, rank) => {
    const [left, right] = merges.pairAt(rank);
    return [names[left] ?? "", names[right] ?? ""];
  });
}

export function mergesText(vocabulary: Vocabulary): string {
  return [VERSION, ...mergesOf(vocabulary).map((pair) => pair.join(" ")), ""].join("\n");
}

/** In the order of the ids, which an object would not keep for names that are numbers. */
export function vocabText({ ids }: Vocabulary): string {
  return `{${byId(ids)
    .map(([name, id]) => `${JSON.stringify(name)}:${id}`)
    .join(",")}}`;
}

/** Tokens in the order of their ids. */
export function byId(tokens: ReadonlyMap<string, number>): [name: string, id: number][] {
  return [...tokens].toSorted(([, one], [, other]) => one - other);
}
