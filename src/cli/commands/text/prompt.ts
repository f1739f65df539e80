/** The prompt that a command is given: an argument, a file, or stdin. */
import { IsotorchError } from "../../../base/errors.ts";
import { invalid } from "../../../base/options/check.ts";
import type { GeneratorInfo } from "../../../generation/info.ts";
import type { Values } from "../../flags/flags.ts";
import { STATUS } from "../../terminal/status-line.ts";
import { say } from "../../terminal/terminal.ts";
import { readTextFile } from "../tokenizer/input.ts";

/** @throws IsotorchError `INVALID_OPTION` for none or several, `INVALID_INPUT` for an empty one, and as `readTextFile`. */
export async function promptOf(
  command: string,
  positionals: readonly string[],
  { file }: Values,
  signal: AbortSignal,
): Promise<string> {
  const [given, ...others] = [...positionals, ...(typeof file === "string" ? [file] : [])];
  if (given === undefined) throw invalid("No prompt was given.", `isotorch ${command} "The dog"`);
  if (others.length > 0)
    throw invalid(
      file === undefined
        ? "One prompt is needed, and there are several."
        : "--file is given, and a prompt beside it.",
      `Put the whole text in quotes: isotorch ${command} "The dog"`,
    );
  const isText = file === undefined && given !== "-";
  const text = isText ? given : withoutLineEnd(await readInput(given, signal));
  if (text !== "") return text;
  throw new IsotorchError("INVALID_INPUT", "The prompt is empty.", {
    hint: "A network continues what is there: give it one token at least.",
  });
}

/** Waiting for stdin ends with the signal. */
async function readInput(name: string, signal: AbortSignal): Promise<string> {
  if (name === "-") signal.addEventListener("abort", () => process.stdin.destroy(), { once: true });
  return readTextFile(name);
}

/** What `echo` and editors put behind a text belongs to its line, and not to the text that is to be continued. */
function withoutLineEnd(text: string): string {
  return text.replace(/\r?\n$/, "");
}

/** Says on stderr that a network has learnt nothing, where it has not. */
export function sayUntrained({
  weights,
}: {
  readonly weights: Pick<GeneratorInfo["weights"], "name" | "trained">;
}): void {
  STATUS.clear();
  if (weights.trained === false)
    say(`${weights.name}: an untrained network, its texts mean nothing.\n`, process.stderr);
}
