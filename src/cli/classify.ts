/** `isotorch classify IMAGE…` */
import { createClassifier } from "../classifier.ts";
import type { Classification, DetailedResult } from "../classifier.ts";
import { IsotorchError } from "../errors.ts";
import type { ImageInput } from "../image/source.ts";
import type { ClassifyOptions } from "../options.ts";
import {
  CLASSIFIER_FLAGS,
  CLASSIFIER_FLAGS_HELP,
  IMAGE_FLAGS,
  IMAGE_FLAGS_HELP,
  classifierOptions,
  imageOptions,
  parseFlags,
  wholeNumber,
} from "./flags.ts";
import { EXIT } from "./exit.ts";
import { readStdin } from "./stdin.ts";

const INCLUDABLE = ["logits", "probabilities", "tensor", "timings"];

export const help: string = `isotorch classify IMAGE… : the best classes of each picture

  isotorch classify dog.jpg
  isotorch classify *.jpg --json > answers.jsonl
  isotorch classify dog.jpg --weights mine.pth --trust-checkpoint --include logits --json
  cat dog.jpg | isotorch classify -

IMAGE is a path, an http(s): or data: URL, or - for stdin.

  --top-k N            how many classes (default 5; 0 = all)
  --include LIST       of ${INCLUDABLE.join(", ")}; shown with --json
  --json               one object per line: {"input","top":[{"label","index","score","percent"}]}
                       or {"input","error":{"code","message"}}
  --timeout MS         per picture (default 30000)
  --manifest FILE      write what is needed to reproduce the run (pictures must be files)
${IMAGE_FLAGS_HELP}${CLASSIFIER_FLAGS_HELP}`;

/** @returns 0, or 1 when some picture failed. */
export async function run(argv: readonly string[], signal: AbortSignal): Promise<number> {
  const { values, positionals } = parseFlags(argv, {
    ...CLASSIFIER_FLAGS,
    ...IMAGE_FLAGS,
    "top-k": { type: "string" },
    include: { type: "string" },
    timeout: { type: "string" },
    manifest: { type: "string" },
    json: { type: "boolean" },
  });
  if (positionals.length === 0) {
    throw new IsotorchError("INVALID_OPTION", "No picture was given.", { hint: "isotorch classify dog.jpg" });
  }
  const options: ClassifyOptions = {
    ...imageOptions(values),
    ...(values["top-k"] !== undefined && { topK: wholeNumber("top-k", values["top-k"]) }),
    ...(values["timeout"] !== undefined && { timeoutMs: wholeNumber("timeout", values["timeout"]) }),
    include: included(values["include"]),
  };
  await using classifier = await createClassifier({ ...classifierOptions(values), signal });
  const untrained = classifier.info().weights.trained === false;
  if (untrained)
    process.stderr.write(
      `${classifier.info().weights.name}: an untrained network, its labels mean nothing.\n`,
    );
  const show = values["json"] === true ? showJson : showTable;
  let failed = false;
  let at = 0;
  for await (const result of classifier.classifyStream(imagesOf(positionals, signal), options)) {
    const input = positionals[at++] ?? "";
    if (result.status === "rejected") failed = true;
    show(input, result);
  }
  if (typeof values["manifest"] === "string") {
    const { createManifest, hashPictures, writeManifest } = await import("../parity/manifest.ts");
    const pictures = await hashPictures(
      positionals.map((path) => ({ name: path, path })),
      signal,
    );
    const { handoff = "tensor" } = classifierOptions(values);
    await writeManifest(values["manifest"], createManifest(classifier.info(), { handoff, pictures }));
  }
  return failed ? EXIT.input : EXIT.ok;
}

/** The pictures one by one; after a signal no more are begun, and those in work are still answered. */
function* imagesOf(inputs: readonly string[], signal: AbortSignal): Generator<ImageInput, void, undefined> {
  for (const input of inputs) {
    if (signal.aborted) return;
    yield input === "-" ? readStdin() : input;
  }
}

function included(list: unknown): NonNullable<ClassifyOptions["include"]> {
  if (typeof list !== "string") return {};
  const names = list.split(",").map((name) => name.trim());
  const unknown = names.find((name) => !INCLUDABLE.includes(name));
  if (unknown !== undefined) {
    throw new IsotorchError("INVALID_OPTION", `--include knows ${INCLUDABLE.join(", ")}, not "${unknown}".`);
  }
  return Object.fromEntries(names.map((name) => [name, true]));
}

function showJson(input: string, result: PromiseSettledResult<DetailedResult>): void {
  process.stdout.write(`${JSON.stringify({ input, ...asJson(result) })}\n`);
}

function asJson(result: PromiseSettledResult<DetailedResult>): object {
  if (result.status === "rejected") return { error: asError(result.reason) };
  const { logits, probabilities, tensor, ...rest } = result.value;
  return {
    ...rest,
    ...(logits && { logits: [...logits] }),
    ...(probabilities && { probabilities: [...probabilities] }),
    ...(tensor && { tensor: { shape: tensor.shape, data: [...tensor.data] } }),
  };
}

function showTable(input: string, result: PromiseSettledResult<DetailedResult>): void {
  if (result.status === "rejected") {
    const { code, message, hint } = asError(result.reason);
    process.stderr.write(`${input}\n  ${code}: ${message}\n  ${hint}\n`);
    return;
  }
  process.stdout.write(`${input}\n${tableOf(result.value.top)}`);
}

/** Rows of label and percentage; every digit is shown, as Python prints a float32 as a float. */
export function tableOf(top: readonly Classification[]): string {
  const width = Math.max(...top.map(({ label }) => label.length));
  return top.map(({ label, percent }) => `  ${label.padEnd(width)}  ${percent}\n`).join("");
}

function asError(reason: unknown): IsotorchError {
  if (reason instanceof IsotorchError) return reason;
  throw reason;
}
