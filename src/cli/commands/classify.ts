/** `isotorch classify IMAGE…` */
import { shownValue } from "../../base/text/shown.ts";
import { createClassifier } from "../../classification/classifier.ts";
import type { Classifier } from "../../classification/classifier.ts";
import { IsotorchError } from "../../base/errors.ts";
import { checkTopK } from "../../classification/resolved.ts";
import type { ClassifyOptions } from "../../classification/options.ts";
import { csv, jsonl, table, tsv } from "../job/answers.ts";
import type { Answer, Look, Writer } from "../job/answers.ts";
import type { Product } from "../job/run.ts";
import { answerAll } from "../job/answering.ts";
import { ACTIVATIONS, CLASSIFY, FORMATS, INCLUDABLE, OUT_ENDINGS, THUMBNAILS } from "../describe/classify.ts";
import { parserOf } from "../flags/description.ts";
import { classifierOptions, imageOptions, fraction, oneOf, parseFlags, wholeNumber } from "../flags/flags.ts";
import type { Values } from "../flags/flags.ts";
import { PassedOver } from "../../parity/eval/walk.ts";
import { EXIT } from "../exit.ts";
import type { Named } from "../lists/inputs.ts";
import { isRepeatable, picturesFrom } from "../lists/pictures.ts";
import { STATUS } from "../terminal/status-line.ts";
import { sayNetwork, sayPassed } from "../terminal/notes.ts";
import { isColoured, print, thumbnailsOf } from "../terminal/terminal.ts";
import { watchFolder } from "../lists/watch.ts";

const BYTE_ORDER_MARK = "\uFEFF";

/** @returns 0, or 1 when some picture failed. */
export async function run(argv: readonly string[], signal: AbortSignal): Promise<number> {
  const { values, positionals } = parseFlags(argv, parserOf(CLASSIFY));
  const { watch, manifest, out } = values;
  refuseContradictions(positionals, values);
  const given = { positionals, from: values["from"], isNul: values["null"] === true };
  const format = formatOf(values);
  if (values["bom"] === true && format !== "csv" && format !== "tsv")
    throw new IsotorchError(
      "INVALID_OPTION",
      `--bom belongs to --csv and --tsv, and the answers are ${format}.`,
    );
  const look = lookOf(values);
  const writer: Writer = { table: table(look), jsonl, csv, tsv }[format];
  const options: ClassifyOptions = {
    ...imageOptions(values),
    ...scoring(values),
    ...(values["top-k"] !== undefined && { topK: wholeNumber("top-k", values["top-k"]) }),
    ...(values["timeout"] !== undefined && { timeoutMs: wholeNumber("timeout", values["timeout"]) }),
    include: {
      ...included(values["include"]),
      ...(format === "table" && look.thumbnails !== undefined && { pixels: true }),
    },
  };
  const over = new AbortController();
  try {
    // Before the start of the worker: what comes meanwhile is not missed.
    const coming =
      typeof watch === "string" ? watchFolder(watch, AbortSignal.any([signal, over.signal])) : undefined;
    await using classifier = await createClassifier({ ...classifierOptions(values), signal });
    STATUS.clear();
    checkTopK(options.topK, classifier.info().classes);
    sayNetwork(classifier.info());
    let passed = new PassedOver();
    // A job counts the list first, and goes through it again.
    const list = (): AsyncGenerator<Named, void, undefined> =>
      picturesFrom(given, signal, (passed = new PassedOver()));
    if (typeof out === "string") {
      const { runJob } = await import("../job/run.ts");
      const counted = isRepeatable(given) && process.stderr.isTTY ? list : undefined;
      const code = await runJob(out, answersOf(options), { classifier, options, list, counted, signal });
      sayPassed(passed);
      return code;
    }
    let failed = false;
    const names: string[] = [];
    const show = async (answer: Answer): Promise<void> => {
      failed ||= "error" in answer;
      if (manifest !== undefined && !isGone(answer)) names.push(answer.name);
      await print(await writer.of(answer));
      await print(writer.aside?.(answer) ?? "", process.stderr);
    };
    await print(`${values["bom"] === true ? BYTE_ORDER_MARK : ""}${writer.head ?? ""}`);
    await answerAll(classifier, options, list(), show);
    sayPassed(passed);
    // One by one: the next picture may come in an hour.
    if (coming)
      for await (const path of coming)
        await answerAll(classifier, options, [{ name: path, image: path }], show);
    if (typeof manifest === "string") await writeManifestOf(names, classifier, manifest, signal);
    return failed ? EXIT.input : EXIT.ok;
  } finally {
    over.abort();
  }
}

/** The job whose lines are whole answers. */
function answersOf({
  topK = 5,
  include = {},
  activation = "softmax",
  threshold = 0,
}: ClassifyOptions): Product {
  return {
    line: (answer) => jsonl.of(answer),
    conditions: { topK, include, activation, threshold },
    finish: async (lines, path, network) => {
      const { answerColumns, writeParquet } = await import("../job/parquet.ts");
      await writeParquet(lines, path, answerColumns(include), network);
    },
  };
}

/** What cannot be read has no hash; its own error has said so. */
function isGone(answer: Answer): boolean {
  return "error" in answer && /^INPUT_(?:NOT_FOUND|UNREADABLE)$/.test(answer.error.code);
}

async function writeManifestOf(
  names: readonly string[],
  classifier: Classifier,
  file: string,
  signal: AbortSignal,
): Promise<void> {
  const { createManifest, hashPictures, writeManifest } = await import("../../parity/golden/manifest.ts");
  const pictures = await hashPictures(
    names.map((path) => ({ name: path, path })),
    signal,
  );
  const info = classifier.info();
  await writeManifest(file, createManifest(info, { handoff: info.handoff, pictures }));
}

function refuseContradictions(positionals: readonly string[], values: Values): void {
  const refuse = (message: string, hint = "`isotorch classify --help` has examples"): never => {
    throw new IsotorchError("INVALID_OPTION", message, { hint });
  };
  const { from, watch, manifest, out } = values;
  if (out !== undefined && !OUT_ENDINGS.some((ending) => String(out).endsWith(ending)))
    refuse(`--out is ${shownValue(out)}, expected a file that ends with ${OUT_ENDINGS.join(" or ")}.`);
  const clash = ["watch", "manifest", "format", "csv", "tsv", "bom"].find(
    (name) => values[name] !== undefined,
  );
  if (out !== undefined && clash !== undefined)
    refuse(`--out writes lines of JSON or Parquet, and --${clash} asks for something else.`);
  if (positionals.length === 0 && from === undefined && watch === undefined)
    refuse("No picture was given.", "isotorch classify dog.jpg");
  if (values["null"] === true && from === undefined) refuse("--null belongs to --from.");
  if (manifest !== undefined && watch !== undefined)
    refuse("--manifest is written at the end, and --watch has none.");
  if (positionals.filter((argument) => argument === "-").length + (from === "-" ? 1 : 0) > 1)
    refuse("stdin can be read only once.");
}

function formatOf(values: Values): (typeof FORMATS)[number] {
  const asked = [
    ...(values["format"] === undefined ? [] : [oneOf("format", values["format"], FORMATS)]),
    ...(values["json"] === true ? (["jsonl"] as const) : []),
    ...(values["csv"] === true ? (["csv"] as const) : []),
    ...(values["tsv"] === true ? (["tsv"] as const) : []),
  ];
  const [format = "table", ...others] = new Set(asked);
  if (others.length === 0) return format;
  throw new IsotorchError(
    "INVALID_OPTION",
    `The answers cannot be ${[format, ...others].join(" and ")} at once.`,
  );
}

function lookOf(values: Values): Look {
  const how = oneOf("thumbnails", values["thumbnails"] ?? "auto", THUMBNAILS);
  const { stdout } = process;
  return {
    isTerminal: stdout.isTTY,
    columns: stdout.columns,
    isColoured: isColoured(stdout),
    thumbnails: how === "auto" ? thumbnailsOf(stdout) : how === "off" ? undefined : how,
  };
}

function scoring({ activation, threshold }: Values): Pick<ClassifyOptions, "activation" | "threshold"> {
  return {
    ...(activation !== undefined && { activation: oneOf("activation", activation, ACTIVATIONS) }),
    ...(threshold !== undefined && { threshold: fraction("threshold", threshold) }),
  };
}

function included(list: unknown): NonNullable<ClassifyOptions["include"]> {
  if (typeof list !== "string") return {};
  const names = list.split(",").map((name) => oneOf("include", name.trim(), INCLUDABLE));
  return Object.fromEntries(names.map((name) => [name, true]));
}
