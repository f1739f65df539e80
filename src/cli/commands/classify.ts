/** `isotorch classify IMAGE…` */
import { shownValue } from "../../base/text/shown.ts";
import { stat } from "node:fs/promises";
import { createClassifier } from "../../classification/classifier.ts";
import type { Classifier } from "../../classification/classifier.ts";
import { IsotorchError } from "../../base/errors.ts";
import { checkTopK } from "../../classification/resolved.ts";
import type { ClassifyOptions } from "../../classification/options.ts";
import { csv, jsonl, table, tsv } from "../job/answers.ts";
import type { Answer, Look, Writer } from "../job/answers.ts";
import { answerAll } from "../job/answering.ts";
import { CLASSIFY, FORMATS, INCLUDABLE, OUT_ENDINGS, THUMBNAILS } from "../describe/classify.ts";
import { parserOf } from "../flags/description.ts";
import { classifierOptions, imageOptions, oneOf, parseFlags, wholeNumber } from "../flags/flags.ts";
import type { Values } from "../flags/flags.ts";
import { PassedOver } from "../../parity/eval/walk.ts";
import { pathOf } from "../../base/text/names.ts";
import { EXIT } from "../exit.ts";
import { picturesOf } from "../lists/inputs.ts";
import type { Named } from "../lists/inputs.ts";
import { listed } from "../lists/list.ts";
import { STATUS } from "../terminal/status-line.ts";
import { sayPassed } from "../terminal/notes.ts";
import { isColoured, print, say, thumbnailsOf } from "../terminal/terminal.ts";
import { watchFolder } from "../lists/watch.ts";

const BYTE_ORDER_MARK = "\uFEFF";

/** @returns 0, or 1 when some picture failed. */
export async function run(argv: readonly string[], signal: AbortSignal): Promise<number> {
  const { values, positionals } = parseFlags(argv, parserOf(CLASSIFY));
  const { from, watch, manifest, out } = values;
  refuseContradictions(positionals, values);
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
    sayUntrained(classifier);
    let passed = new PassedOver();
    // A job counts the list first, and goes through it again.
    const list = (): AsyncGenerator<Named, void, undefined> =>
      picturesFrom(positionals, from, values["null"] === true, signal, (passed = new PassedOver()));
    if (typeof out === "string") {
      const { runJob } = await import("../job/run.ts");
      const counted = isRepeatable(positionals, from) && process.stderr.isTTY ? list : undefined;
      const code = await runJob(out, { classifier, options, list, counted, signal });
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

/** After a signal no more pictures are begun, and those in work are still answered. */
async function* picturesFrom(
  positionals: readonly string[],
  from: unknown,
  isNul: boolean,
  signal: AbortSignal,
  passed: PassedOver,
): AsyncGenerator<Named, void, undefined> {
  for (const argument of positionals) {
    for await (const picture of picturesOf(argument, signal, passed)) {
      if (signal.aborted) return;
      yield picture;
    }
  }
  if (typeof from !== "string") return;
  const isFolder = from !== "-" && (await stat(pathOf(from)).catch(() => undefined))?.isDirectory() === true;
  for await (const picture of isFolder ? picturesOf(from, signal, passed) : listed(from, { isNul, signal })) {
    if (signal.aborted) return;
    yield picture;
  }
}

/** Whether the pictures can be counted first: what stands on stdin can be read only once. */
function isRepeatable(positionals: readonly string[], from: unknown): boolean {
  return from !== "-" && !positionals.includes("-");
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

function included(list: unknown): NonNullable<ClassifyOptions["include"]> {
  if (typeof list !== "string") return {};
  const names = list.split(",").map((name) => oneOf("include", name.trim(), INCLUDABLE));
  return Object.fromEntries(names.map((name) => [name, true]));
}

function sayUntrained(classifier: Classifier): void {
  const { name = "The server's network", trained } = classifier.info().weights;
  if (trained === false) say(`${name}: an untrained network, its labels mean nothing.\n`, process.stderr);
}
