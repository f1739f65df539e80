/** `isotorch tokenizer train FILE…` */
import { invalid } from "../../../base/options/check.ts";
import { visible } from "../../../base/text/shown.ts";
import type { TokenMerge } from "../../../text/options.ts";
import { Tokenizer } from "../../../text/tokenizer.ts";
import { oneOf, wholeNumber } from "../../flags/flags.ts";
import type { Values } from "../../flags/flags.ts";
import { print, say } from "../../terminal/terminal.ts";
import { readTextFile } from "./input.ts";

const SHOWN = 10;

export async function train(names: readonly string[], values: Values): Promise<void> {
  if (names.length === 0)
    throw invalid("No text was given.", "isotorch tokenizer train bible.txt --vocab 2048");
  const json = values["json"] === true;
  const steps =
    values["steps"] === undefined ? (json ? Infinity : SHOWN) : wholeNumber("steps", values["steps"]);
  const texts: string[] = [];
  for (const name of names) texts.push(await readTextFile(name));
  const shown: TokenMerge[] = [];
  const tokenizer = Tokenizer.train(texts, {
    ...optionsOf(values),
    onMerge: (merge) => {
      if (merge.step <= steps) shown.push(merge);
    },
  });
  await print(shown.map((merge) => (json ? `${JSON.stringify(merge)}\n` : lineOf(merge))).join(""));
  const out = values["out"];
  if (typeof out === "string") await tokenizer.save(out);
  const { vocabSize } = tokenizer;
  const merges = tokenizer.merges.length;
  if (json) await print(`${JSON.stringify({ vocabSize, merges, ...(out !== undefined && { out }) })}\n`);
  else {
    if (merges > shown.length) say(`   …  and ${(merges - shown.length).toLocaleString("en")} more merges\n`);
    say(`${vocabSize.toLocaleString("en")} tokens${typeof out === "string" ? `, written to ${out}` : ""}\n`);
  }
}

function optionsOf(values: Values): object {
  const { vocab, special, rule } = values;
  const least = values["min-frequency"];
  return {
    ...(vocab !== undefined && { vocabSize: wholeNumber("vocab", vocab) }),
    ...(least !== undefined && { minFrequency: wholeNumber("min-frequency", least) }),
    ...(special !== undefined && { specialTokens: [special].flat().map(String) }),
    ...(rule !== undefined && { rule: oneOf("rule", rule, ["huggingface", "minbpe"]) }),
  };
}

/** As in `   1  " " + "t" → " t"   135,240 times, token 256`. */
function lineOf({ step, texts: [left, right], text, count, id }: TokenMerge): string {
  const made = `${quoted(left)} + ${quoted(right)} → ${quoted(text)}`;
  return `${String(step).padStart(4)}  ${made.padEnd(30)}  ${count.toLocaleString("en")} times, token ${id}\n`;
}

/** A token, whose blanks are seen. */
export function quoted(text: string): string {
  return `"${visible(text)}"`;
}
