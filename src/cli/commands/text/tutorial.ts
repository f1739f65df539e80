/** `isotorch tutorial --gpt [PROMPT]`: the tutorial's first half, walked through. */
import { invalid } from "../../../base/options/check.ts";
import { visible } from "../../../base/text/shown.ts";
import { isPath } from "../../../checkpoints/resolve.ts";
import { type GptWalk, walkGpt } from "../../../parity/tutorial/gpt/walk.ts";
import { type ChapterName, LANGUAGES, type Language, WORDS } from "../../../parity/tutorial/gpt/words.ts";
import { attentionOf, squareOf } from "../../attention/attention.ts";
import { heatMap } from "../../attention/heat-map.ts";
import { TEXT_ENVIRONMENT, TEXT_NETWORK } from "../../describe/text.ts";
import { EXIT } from "../../exit.ts";
import { oneOf } from "../../flags/flags.ts";
import type { Values } from "../../flags/flags.ts";
import { generatorOptions } from "../../flags/texts.ts";
import { promptLines } from "../../terminal/python-prompt.ts";
import { STATUS } from "../../terminal/status-line.ts";
import { say } from "../../terminal/terminal.ts";
import { explained } from "./explain.ts";

/** Flags of `tutorial` that go with `--gpt`. */
const FLAGS: readonly string[] = [
  "gpt",
  "check",
  "lang",
  "json",
  ...Object.keys(TEXT_NETWORK.flags),
  ...Object.keys(TEXT_ENVIRONMENT.flags),
];
/** Heads whose squares are shown. */
const HEADS = 2;

/** @returns 0, or 1 when something differs. */
export async function walk(
  positionals: readonly string[],
  values: Values,
  signal?: AbortSignal,
): Promise<number> {
  const [prompt, ...more] = positionals;
  if (more.length > 0)
    throw invalid("`tutorial --gpt` takes one prompt.", 'isotorch tutorial --gpt "In the beginning"');
  const other = Object.keys(values).find((flag) => values[flag] !== undefined && !FLAGS.includes(flag));
  if (other !== undefined) throw invalid(`--gpt goes without --${other}, which is for pictures.`);
  const { device } = values;
  if (device !== undefined && device !== "cpu" && device !== "auto")
    throw invalid("The tutorial runs on the CPU.", "Leave --device out; `isotorch parity` compares devices.");
  const language =
    values["lang"] === undefined ? languageOf(process.env) : oneOf("lang", values["lang"], LANGUAGES);
  const words = WORDS[language];
  const options = generatorOptions(values);
  const walked = await walkGpt({
    ...options,
    ...(options.model === undefined && !isOwn(options.weights) && { model: "tiny" }),
    ...(prompt !== undefined && { prompt }),
    ...(signal && { signal }),
    corpus: words.corpus,
  });
  STATUS.clear();
  if (values["json"] === true) say(`${JSON.stringify(objectOf(walked, language))}\n`);
  else for (const line of linesOf(walked, language)) say(`${line}\n`);
  return walked.check.same ? EXIT.ok : EXIT.input;
}

/** As the environment of a shell names it: Chinese where it says so, else English. */
export function languageOf(env: Readonly<Record<string, string | undefined>>): Language {
  const named = [env["LC_ALL"], env["LC_MESSAGES"], env["LANG"]].find(
    (value) => value !== undefined && value !== "",
  );
  return named?.startsWith("zh") === true ? "zh" : "en";
}

/** Such a network says itself what it is. */
function isOwn(weights: string | undefined): boolean {
  return weights !== undefined && (isPath(weights) || weights.startsWith("."));
}

function* linesOf(walked: GptWalk, language: Language): Generator<string> {
  const words = WORDS[language];
  const { chapters, check, info } = walked;
  if (info.weights.trained === false) yield `# ${info.weights.name}: ${words.untrained}`;
  let at = 0;
  for (const [number, { name, steps }] of chapters.entries()) {
    const [title, about] = words.chapters[name];
    yield "";
    yield `# ${number + 1}. ${title}`;
    for (const line of about.split("\n")) yield `# ${line}`;
    for (const step of steps) {
      yield* promptLines(step, check.steps[at], words);
      at += 1;
    }
    yield* pictureOf(name, walked, language);
  }
  const equal = check.steps.filter(({ same }) => same).length;
  yield "";
  yield `# ${words.steps(equal, check.steps.length, check.torch, check.threads)}`;
  for (const { name, differing, values } of check.bits) yield `# ${words.bits(name, differing, values)}`;
  yield `# ${words.verdict(check.same)}`;
}

/** What a chapter shows besides: the same numbers for eyes. */
function pictureOf(name: ChapterName, { inspection, next, answers }: GptWalk, language: Language): string[] {
  const words = WORDS[language];
  if (name === "attention" && inspection.attention !== undefined) {
    const attention = attentionOf(inspection.attention);
    return Array.from({ length: Math.min(HEADS, attention.heads) }, (_, head) => [
      `# ${words.looks(head)}`,
      ...heatMap(squareOf(attention, 0, head), inspection.tokens, process.stdout.columns),
    ]).flat();
  }
  const [token] = next.tokens;
  if (name === "candidates" && token !== undefined)
    return [`# ${words.next}`, ...explained(token, token.text, 1).slice(1)];
  if (name === "generation")
    return [`# ${words.asItComes}`, `  ${answers[0].tokens.map(({ text }) => visible(text)).join("│")}`];
  return [];
}

function objectOf({ chapters, check, prompt, info, answers }: GptWalk, language: Language): object {
  const { model, weights, threads } = info;
  const { steps: checks, ...verdict } = check;
  let at = 0;
  return {
    prompt,
    model,
    weights,
    threads,
    seeds: answers.map(({ seed }) => seed),
    chapters: chapters.map(({ name, steps }) => ({
      chapter: name,
      title: WORDS[language].chapters[name][0],
      steps: steps.map(({ python, output }) => ({ python, output, check: checks[at++] })),
    })),
    check: verdict,
  };
}
