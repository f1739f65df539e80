/** `isotorch parity --model gpt2 PROMPT…`: texts. */
import { IsotorchError } from "../../../base/errors.ts";
import { invalid, unexpected } from "../../../base/options/check.ts";
import { excerpt, visible } from "../../../base/text/shown.ts";
import { PACKAGE_VERSION } from "../../../base/version.ts";
import { resolveGenerateOptions } from "../../../generation/resolved.ts";
import { forJson } from "../../../parity/report/json.ts";
import { countsText, totalText, verdictText } from "../../../parity/report/words.ts";
import { publishedText } from "../../../parity/text/published.ts";
import { TEXT_REFERENCES } from "../../../parity/text/reference.ts";
import type { TextReferenceName } from "../../../parity/text/reference.ts";
import { TextParity, summariseTexts } from "../../../parity/text/run.ts";
import type { TextReport, TextSummary } from "../../../parity/text/run.ts";
import type { Way } from "../../../parity/text/stages.ts";
import { sayUntrained } from "../text/prompt.ts";
import { readTextFile } from "../tokenizer/input.ts";
import { OF_TEXTS } from "../../describe/checks.ts";
import { ENVIRONMENT } from "../../describe/shared.ts";
import { EXIT } from "../../exit.ts";
import { oneOf, wholeNumber } from "../../flags/flags.ts";
import type { Values } from "../../flags/flags.ts";
import { generateOptions, generatorOptions } from "../../flags/texts.ts";
import { say } from "../../terminal/terminal.ts";
import { toleranceOf } from "./tolerance.ts";

/** What texts have in common with pictures. */
const COMMON = ["model", "weights", "sha256", "device", "threads", "against", "rtol", "atol", "json"].concat(
  Object.keys(ENVIRONMENT.flags),
);
const NEW_TOKENS = 16;
const SEEDS = "1,2,3";
/** Characters of a prompt in its line. */
const SHOWN = 48;

/** @returns 0, or 1 when something diverged. */
export async function compareTexts(
  positionals: readonly string[],
  values: Values,
  signal?: AbortSignal,
): Promise<number> {
  refusePictureFlags(values);
  const ways = waysOf(values);
  const reference: TextReferenceName =
    values["reference"] === undefined ? "plain" : oneOf("reference", values["reference"], TEXT_REFERENCES);
  const tolerance = toleranceOf(values);
  const prompts = await promptsOf(positionals, values);
  const isJson = values["json"] === true;
  await using parity = await TextParity.start({
    generator: { ...generatorOptions(values), device: "cpu" },
    reference,
    ways,
    tolerance,
    ...(typeof values["against"] === "string" && { against: values["against"] }),
    ...(signal && { signal }),
  });
  const { ours, reference: theirs, weights } = parity;
  sayUntrained(parity);
  const reports: TextReport[] = [];
  for (const prompt of prompts) {
    if (signal?.aborted)
      throw new IsotorchError("ABORTED", "The run was interrupted before its last prompt.");
    const report = await parity.compare(prompt);
    reports.push(report);
    say(isJson ? jsonLine(report) : tableLine(report));
  }
  const published = await parity.published();
  const summary = summariseTexts(reports, published);
  const about = {
    isotorch: PACKAGE_VERSION,
    ways,
    tolerance: tolerance ?? null,
    ours,
    reference: theirs,
    weights,
  };
  say(isJson ? jsonLine({ summary, published, ...about }) : summaryLines(summary, theirs.name));
  if (!isJson) say(`${publishedText(published)}\n`);
  return summary.passed ? EXIT.ok : EXIT.input;
}

function refusePictureFlags(values: Values): void {
  const known = [...COMMON, ...Object.keys(OF_TEXTS.flags)];
  const other = Object.keys(values).find((flag) => values[flag] !== undefined && !known.includes(flag));
  if (other !== undefined)
    throw invalid(
      `--${other} is for pictures, and a network of texts was named.`,
      "`isotorch parity --help` has both.",
    );
  const { device } = values;
  if (device !== undefined && device !== "cpu")
    throw unexpected("--device is", device, "cpu, where texts are compared");
}

/** Greedily, and then with each of the seeds. @throws IsotorchError `INVALID_OPTION` for what no answer can be had with. */
function waysOf(values: Values): Way[] {
  const { maxTokens = NEW_TOKENS, temperature = 1, topK = 0, topP = 1 } = generateOptions(values);
  const greedy: Way = { name: "greedy", maxTokens, temperature: 0, topK: 0, topP: 1, seed: 0 };
  const { seeds = temperature === 0 ? "none" : SEEDS } = values;
  if (seeds === "none") return [greedy];
  if (temperature === 0) throw invalid("At --temperature 0 nothing is drawn: --seeds are for other ones.");
  const given = new Set(
    String(seeds)
      .split(",")
      .map((seed) => wholeNumber("seeds", seed.trim())),
  );
  const drawn = Array.from(given, (seed) => ({
    name: `seed-${seed}`,
    maxTokens,
    temperature,
    topK,
    topP,
    seed,
  }));
  for (const { name: _, ...options } of drawn) resolveGenerateOptions(options, 0);
  return [greedy, ...drawn];
}

/** @throws IsotorchError `INVALID_OPTION` where there is none. */
async function promptsOf(given: readonly string[], values: Values): Promise<string[]> {
  const file = values["prompts"];
  const text = typeof file === "string" ? await readTextFile(file) : "";
  const lines = text.split(/\r?\n/).filter((line) => line !== "");
  const prompts = [...given, ...lines];
  if (prompts.length > 0) return prompts;
  throw invalid("No prompt was given.", 'isotorch parity --model gpt2 "The dog"');
}

function jsonLine(value: object): string {
  return `${JSON.stringify(value, forJson)}\n`;
}

function tableLine(report: TextReport): string {
  const { input, tokens } = report;
  const count = tokens === null ? "" : `${tokens} ${tokens === 1 ? "token" : "tokens"}  `;
  return `"${excerpt(visible(input), SHOWN)}"  ${count}${verdictText(report)}\n`;
}

function summaryLines(summary: TextSummary, against: string): string {
  const { stages, prompts, verdicts } = summary;
  const compared = Object.entries(stages).filter(([, totals]) => totals.compared > 0);
  const lines = compared.map(([stage, { differingValues, values }]) => {
    const figures = `${differingValues.toLocaleString("en")} of ${values.toLocaleString("en")} values differ`;
    return `  ${stage.padEnd(18)}  ${figures}`;
  });
  const skipped = Object.entries(stages).filter(([, totals]) => totals.skipped > 0);
  const missing = skipped.map(([stage, { skipped: count }]) => `${stage} ${count}×`).join(", ");
  const said = missing === "" ? "" : `not compared: ${missing}\n`;
  const totals = { ...summary, inputs: prompts, comparisons: prompts };
  const noun = prompts === 1 ? "prompt" : "prompts";
  const table = countsText(verdicts) === "" ? "" : `\n${lines.join("\n")}\n`;
  return `${table}${said}${totalText(totals, noun)}; against ${against}\n`;
}
