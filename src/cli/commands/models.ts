/** `isotorch models [PATTERN…|pull|make]` */
import { say } from "../terminal/terminal.ts";
import { dirname, resolve } from "node:path";
import { IsotorchError } from "../../base/errors.ts";
import { unexpected } from "../../base/options/check.ts";
import { chosen, modelsMatching } from "../../checkpoints/choose.ts";
import { resolveCheckpoint } from "../../checkpoints/resolve.ts";
import { type ModelEntry, listModels } from "../../checkpoints/list.ts";
import { DEFAULT_MODEL, defaultWeights, knownModel, modelNames } from "../../checkpoints/table.ts";
import { findEnvironment } from "../../python/environment.ts";
import { makeUntrained } from "../../checkpoints/make.ts";
import { surroundings } from "../../python/surroundings.ts";
import { noteUsed } from "../../python/used.ts";
import { type Values, classifierOptions, numberFrom0, parseFlags, wholeNumber } from "../flags/flags.ts";
import { MODELS } from "../describe/environment.ts";
import { parserOf } from "../flags/description.ts";
import { modelLines, weightsLines } from "../lists/models.ts";
import { EXIT } from "../exit.ts";

type Options = Omit<ReturnType<typeof classifierOptions>, "transforms"> & { readonly signal: AbortSignal };

/** @returns 0, or 1 where no weights are as they were asked for. */
export async function run(argv: readonly string[], signal: AbortSignal): Promise<number> {
  const { values, positionals } = parseFlags(argv, parserOf(MODELS));
  const options: Options = { ...classifierOptions(values), signal };
  const [action = "list", ...rest] = positionals;
  switch (action) {
    case "pull":
      return pull(rest[0], values, options);
    case "make":
      return make(values, options);
    default:
      return list(action === "list" ? rest : positionals, values, options);
  }
}

async function list(patterns: readonly string[], values: Values, options: Options): Promise<number> {
  const excluded = [values["exclude"] ?? []].flat().map(String);
  const models = modelsMatching(patterns, excluded);
  const accuracy = values["min-accuracy"];
  const choice = {
    weights: textOf(values["weights"]),
    maxBytes: values["max-size"] === undefined ? undefined : bytesOf(values["max-size"]),
    minAccuracy: accuracy === undefined ? undefined : numberFrom0("min-accuracy", accuracy),
    licence: textOf(values["licence"]),
    cached: values["cached"] === true,
  };
  const known = await listModels(options, models);
  const entries = chosen(known, choice);
  if (values["json"] === true) {
    for (const entry of entries) say(`${JSON.stringify(entry)}\n`);
  } else if (entries.length === 0) {
    say("No weights are as they were asked for.\n", process.stderr);
  } else {
    const isAll = patterns.length === 0 && entries.length === known.length;
    say(`${(isAll ? overview(entries) : details(entries)).join("\n")}\n`);
  }
  return entries.length === 0 ? EXIT.input : EXIT.ok;
}

/** Every model on a line. */
function overview(entries: readonly ModelEntry[]): string[] {
  const [{ path } = { path: "" }] = entries;
  return [
    ...modelLines(entries),
    `* is here, in ${dirname(path)}; † has a licence of its own. Figures are those of the first weights;`,
    "`isotorch models NAME` shows each of them, and where they come from",
  ];
}

/** Every weights on a line; of one model also where they come from, and whereto. */
function details(entries: readonly ModelEntry[]): string[] {
  const [first] = entries;
  if (first === undefined) return [];
  const isOne = entries.every(({ model }) => model === first.model);
  const places = entries.flatMap(({ name, url, path, licence }) => [
    `${name}: ${url}`,
    `  ${path}`,
    ...(licence === null ? [] : [`  ${licence.name}: ${licence.url}`]),
  ]);
  return [...weightsLines(entries), ...(isOne ? ["", ...places] : [`The cache is ${dirname(first.path)}`])];
}

/** A model with `--weights`, or weights of `--model`. */
async function pull(asked: string | undefined, values: Values, options: Options): Promise<number> {
  if (asked === undefined) {
    throw new IsotorchError("INVALID_OPTION", "`models pull` needs the name of a model or of weights.", {
      hint: "isotorch models pull resnet50, isotorch models pull IMAGENET1K_V2 --model resnet50",
    });
  }
  const isModel = modelNames().includes(asked);
  const given = textOf(values["model"]);
  if (isModel && given !== undefined && given !== asked)
    throw unexpected("--model is", given, asked, "The name that follows `pull` is that of a model already");
  const model = isModel ? asked : knownModel(given ?? DEFAULT_MODEL).name;
  const name = isModel ? (textOf(values["weights"]) ?? defaultWeights(model)) : asked;
  // What is neither is more often a mistyped model.
  if (!isModel && given === undefined && !/^(IMAGENET1K|untrained|DEFAULT)/i.test(asked)) knownModel(asked);
  const { path, integrity, sha256, licence } = await resolveCheckpoint(name, { ...options, model });
  const facts = { name, path, model, integrity, sha256, licence };
  say(values["json"] === true ? `${JSON.stringify(facts)}\n` : `${model}  ${name}  ${integrity}  ${path}\n`);
  return EXIT.ok;
}

async function make(values: Values, options: Options): Promise<number> {
  if (typeof values["out"] !== "string")
    throw new IsotorchError("INVALID_OPTION", "`models make` needs --out FILE.pth.");
  const { signal, threads } = options;
  const out = resolve(values["out"]);
  const seed = wholeNumber("seed", values["seed"] ?? "0");
  const model = knownModel(textOf(values["model"]) ?? DEFAULT_MODEL).name;
  const environment = await findEnvironment(options);
  const { sha256 } = await makeUntrained(environment, seed, out, { model, threads, signal });
  await noteUsed(environment, surroundings());
  const text = `${out}\n  ${model}, seed ${seed}, sha256 ${sha256}, untrained: its answers mean nothing\n`;
  say(values["json"] === true ? `${JSON.stringify({ seed, path: out, sha256, model })}\n` : text);
  return EXIT.ok;
}

function textOf(value: Values[string]): string | undefined {
  return typeof value === "string" ? value : undefined;
}

const UNITS: Readonly<Record<string, number>> = { k: 1, m: 2, g: 3 };

/** `100MB`, `1.5GiB`, `200M`, as bytes. */
function bytesOf(value: Values[string]): number {
  const [, digits, unit = "", binary] = /^(\d+(?:\.\d+)?) ?([kmg])?(i)?b?$/i.exec(String(value)) ?? [];
  if (digits === undefined) throw unexpected("--max-size is", value, "a size such as 100MB or 1.5GB");
  return Number(digits) * (binary === undefined ? 1000 : 1024) ** (UNITS[unit.toLowerCase()] ?? 0);
}
