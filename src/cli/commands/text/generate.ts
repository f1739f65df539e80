/** `isotorch generate PROMPT` */
import { visibleLines } from "../../../base/text/shown.ts";
import { createGenerator } from "../../../generation/generator.ts";
import type { TextGenerator } from "../../../generation/generator.ts";
import { resolveGenerateOptions } from "../../../generation/resolved.ts";
import type { Token } from "../../../generation/stream.ts";
import { GENERATE } from "../../describe/text.ts";
import { EXIT } from "../../exit.ts";
import { parserOf } from "../../flags/description.ts";
import { parseFlags } from "../../flags/flags.ts";
import { generateOptions, generatorOptions } from "../../flags/texts.ts";
import { invalid } from "../../../base/options/check.ts";
import { print, say } from "../../terminal/terminal.ts";
import { explained } from "./explain.ts";
import { promptOf, sayUntrained } from "./prompt.ts";

const EXPLAINED = 5;

/** How a text is shown as it comes. */
interface Show {
  readonly token: (token: Token) => Promise<void>;
  readonly end: (text: string) => Promise<void>;
}

/** @returns 0. */
export async function run(argv: readonly string[], signal: AbortSignal): Promise<number> {
  const { values, positionals } = parseFlags(argv, parserOf(GENERATE));
  const json = values["json"] === true;
  const explain = values["explain"] === true;
  if (json && explain)
    throw invalid("--json and --explain exclude each other.", "--json --candidates 5 has the same facts.");
  if (!json && !explain && values["candidates"] !== undefined)
    throw invalid("--candidates belongs to --explain and --json.");
  const options = { ...(explain && { candidates: EXPLAINED }), ...generateOptions(values) };
  // Before the start of the worker: a bad value, or no prompt.
  resolveGenerateOptions(options, 0);
  const prompt = await promptOf("generate", positionals, values, signal);
  await using generator = await createGenerator({ ...generatorOptions(values), signal });
  sayUntrained(generator.info());
  const stream = generator.stream(prompt, { ...options, signal });
  const show = json ? JSON_LINES : explain ? explaining(generator) : typewriter();
  const tokens: Token[] = [];
  try {
    for await (const token of stream) {
      tokens.push(token);
      await show.token(token);
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
  const text = tokens.map((token) => token.text).join("");
  const finishReason = stream.finishReason ?? "aborted";
  await show.end(text);
  if (json) {
    const { model, weights } = generator.info();
    const { seed, promptTokens } = stream;
    const ids = tokens.map(({ id }) => id);
    const end = { text, ids, seed, finishReason, promptTokens, model, weights: weights.name };
    await print(`${JSON.stringify(end)}\n`);
  }
  say(`seed ${stream.seed}, ${tokens.length} tokens (${finishReason})\n`, process.stderr);
  return EXIT.ok;
}

const JSON_LINES: Show = {
  token: (token) => print(`${JSON.stringify(token)}\n`),
  end: async () => undefined,
};

/** The text and nothing else; a terminal's next prompt begins on a line of its own. */
function typewriter(): Show {
  const { stdout } = process;
  const isTerminal = stdout.isTTY;
  return {
    token: ({ text }) => print(isTerminal ? visibleLines(text) : text),
    end: async (text) => {
      if (isTerminal && text !== "" && !text.endsWith("\n")) await print("\n");
    },
  };
}

function explaining({ tokenizer }: TextGenerator): Show {
  let step = 0;
  return {
    token: async (token) => {
      step += 1;
      await print(`${explained(token, tokenizer.textOf(token.id), step).join("\n")}\n`);
    },
    end: async (text) => say(`\n${text}\n`),
  };
}
