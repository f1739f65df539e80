/** `isotorch parity`: pictures, or texts where a network of texts is named. */
import { namesTexts } from "../../../checkpoints/text/which.ts";
import { invalid } from "../../../base/options/check.ts";
import { OF_TEXTS, PARITY } from "../../describe/checks.ts";
import { parserOf } from "../../flags/description.ts";
import { parseFlags } from "../../flags/flags.ts";
import { comparePictures } from "./pictures.ts";
import { compareTexts } from "./texts.ts";

/** @returns 0, or 1 when something diverged. */
export async function run(argv: readonly string[], signal?: AbortSignal): Promise<number> {
  const { values, positionals } = parseFlags(argv, parserOf(PARITY));
  if (await namesTexts(values)) return compareTexts(positionals, values, signal);
  const other = Object.keys(OF_TEXTS.flags).find((flag) => values[flag] !== undefined);
  if (other !== undefined)
    throw invalid(`--${other} is for texts.`, "Name a network of texts, as with --model gpt2.");
  return comparePictures(positionals, values, signal);
}
