/** `isotorch tokenizer train|encode|decode` */
import { invalid } from "../../../base/options/check.ts";
import { didYouMean } from "../../../base/options/suggest.ts";
import { excerpt } from "../../../base/text/shown.ts";
import { TOKENIZER } from "../../describe/tokenizer.ts";
import { flagsOf, parserOf } from "../../flags/description.ts";
import { parseFlags } from "../../flags/flags.ts";
import type { Values } from "../../flags/flags.ts";
import { decode } from "./decode.ts";
import { encode } from "./encode.ts";
import { train } from "./train.ts";

type Action = (names: readonly string[], values: Values, signal: AbortSignal) => Promise<void>;

/** What each of them does, and the flags that it takes. */
const ACTIONS: Readonly<Record<string, readonly [action: Action, flags: readonly string[]]>> = {
  train: [train, ["vocab", "out", "json", "steps", "min-frequency", "special", "rule"]],
  encode: [encode, ["vocab", "out", "json", "text", "allow-special"]],
  decode: [decode, ["vocab", "json"]],
};

export async function run(argv: readonly string[], signal: AbortSignal): Promise<number> {
  const { values, positionals } = parseFlags(argv, parserOf(TOKENIZER));
  const [name, ...names] = positionals;
  const found = name !== undefined && Object.hasOwn(ACTIONS, name) ? ACTIONS[name] : undefined;
  if (name === undefined || found === undefined) {
    const known = Object.keys(ACTIONS);
    const meant =
      name === undefined ? undefined : didYouMean(name, known, (one) => `\`isotorch tokenizer ${one}\``);
    const what = name === undefined ? "nothing" : `"${excerpt(name)}"`;
    throw invalid(
      `\`tokenizer\` knows ${known.join(", ")}, not ${what}.`,
      meant ?? "`isotorch tokenizer --help` shows what they do.",
    );
  }
  const [action, flags] = found;
  const other = Object.keys(flagsOf(TOKENIZER)).find(
    (flag) => values[flag] !== undefined && !flags.includes(flag),
  );
  if (other !== undefined) throw invalid(`\`tokenizer ${name}\` takes no --${other}.`);
  await action(names, values, signal);
  return 0;
}
