/** `isotorch tokenizer decode ID…` */
import { invalid, unexpected } from "../../../base/options/check.ts";
import { visibleLines } from "../../../base/text/shown.ts";
import type { Values } from "../../flags/flags.ts";
import { print } from "../../terminal/terminal.ts";
import { readTextFile, tokenizerOf } from "./input.ts";

export async function decode(names: readonly string[], values: Values): Promise<void> {
  if (names.length === 0) throw invalid("No id was given.", "isotorch tokenizer decode 464 3290");
  const tokenizer = await tokenizerOf(values);
  const words: string[] = [];
  for (const name of names) words.push(...(name === "-" ? await readTextFile(name) : name).split(/[\s,[\]]/));
  const ids = words.filter((word) => word !== "").map(idOf);
  const text = tokenizer.decode(ids);
  const shown = process.stdout.isTTY ? visibleLines(text) : text;
  await print(values["json"] === true ? `${JSON.stringify({ ids, text })}\n` : `${shown}\n`);
}

function idOf(word: string): number {
  if (/^\d{1,9}$/.test(word)) return Number(word);
  throw unexpected("An id is", word, "a whole number from 0");
}
