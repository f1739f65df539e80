/** `isotorch tokenizer encode TEXT|FILE|-` */
import { writeNpy } from "../../../base/files/npy.ts";
import { writeOutput } from "../../../base/files/output.ts";
import { invalid } from "../../../base/options/check.ts";
import { shown } from "../../../base/text/shown.ts";
import type { Values } from "../../flags/flags.ts";
import { print, say } from "../../terminal/terminal.ts";
import { isFile, readTextFile, tokenizerOf } from "./input.ts";
import { quoted } from "./train.ts";

export async function encode(names: readonly string[], values: Values): Promise<void> {
  const [given, ...others] = names;
  if (given === undefined || others.length > 0)
    throw invalid("One text is needed.", 'isotorch tokenizer encode "The dog"');
  const { out } = values;
  if (typeof out === "string" && !out.endsWith(".npy"))
    throw invalid(`--out is ${shown(out)}, expected a file that ends with .npy.`);
  const tokenizer = await tokenizerOf(values);
  const text = await textOf(given, values);
  const allowed = [values["allow-special"] ?? []].flat().map(String);
  const ids = tokenizer.encode(text, { allowedSpecial: allowed.includes("all") ? "all" : allowed });
  if (typeof out === "string") {
    // NumPy and torch have no unsigned integers that every version computes with.
    const array = BigInt64Array.from(ids, BigInt);
    await writeOutput(out, writeNpy("<i8", [ids.length], array), "The array");
  }
  const tokens = (): string[] => ids.map((id) => tokenizer.textOf(id));
  if (values["json"] === true) {
    const facts = out === undefined ? { ids, tokens: tokens() } : { out, count: ids.length };
    return print(`${JSON.stringify(facts)}\n`);
  }
  if (typeof out === "string") return say(`${ids.length.toLocaleString("en")} tokens, written to ${out}\n`);
  return print(ids.map((id) => `${String(id).padStart(6)}  ${quoted(tokenizer.textOf(id))}\n`).join(""));
}

async function textOf(given: string, values: Values): Promise<string> {
  if (given === "-") return readTextFile(given);
  if (values["text"] === true || !(await isFile(given))) return given;
  say(`${shown(given)} is a file, and its text is read; --text takes the name itself.\n`, process.stderr);
  return readTextFile(given);
}
