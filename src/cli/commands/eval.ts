/** `isotorch eval DIR` */
import { shownName } from "../../base/text/names.ts";
import { say } from "../terminal/terminal.ts";
import { IsotorchError } from "../../base/errors.ts";
import { evaluate } from "../../parity/eval/eval.ts";
import type { EvalOptions, EvalResult } from "../../parity/eval/eval.ts";
import { createManifest, hashPictures, writeManifest } from "../../parity/golden/manifest.ts";
import { PassedOver } from "../../parity/eval/walk.ts";
import { EVAL } from "../describe/checks.ts";
import { parserOf } from "../flags/description.ts";
import { classifierOptions, imageOptions, parseFlags, wholeNumber } from "../flags/flags.ts";
import { EXIT } from "../exit.ts";
import { Meter } from "../terminal/meter.ts";
import { sayPassed } from "../terminal/notes.ts";
import { STATUS } from "../terminal/status-line.ts";

/** @returns 0, or 1 when some picture failed. */
export async function run(argv: readonly string[], signal?: AbortSignal): Promise<number> {
  const { values, positionals } = parseFlags(argv, parserOf(EVAL));
  const [directory, ...more] = positionals;
  if (directory === undefined || more.length > 0) {
    throw new IsotorchError("INVALID_OPTION", "`eval` takes one folder.", { hint: "isotorch eval val/" });
  }
  const { resume, manifest, timeout } = values;
  const classifier = classifierOptions(values);
  const passed = new PassedOver();
  const result = await evaluate(directory, {
    passed,
    classifier,
    image: {
      ...imageOptions(values),
      ...(timeout !== undefined && { timeoutMs: wholeNumber("timeout", timeout) }),
    },
    ...(typeof resume === "string" && { resume }),
    ...(signal && { signal }),
    ...(process.stderr.isTTY && { onProgress: progress() }),
  })
    .catch((error: unknown) => {
      throw withWayOn(error, resume);
    })
    .finally(() => STATUS.clear());
  sayPassed(passed);
  if (typeof manifest === "string") {
    const pictures = await hashPictures(readable(result), signal);
    await writeManifest(manifest, createManifest(result.info, { handoff: result.info.handoff, pictures }));
  }
  say(values["json"] === true ? json(directory, result) : text(directory, result));
  return result.failed > 0 ? EXIT.input : EXIT.ok;
}

function progress(): NonNullable<EvalOptions["onProgress"]> {
  let meter: Meter | undefined;
  return ({ evaluated, failed, top1 }, total) => {
    meter ??= new Meter(evaluated + failed - 1, total, STATUS);
    meter.count(`top-1 ${percent(top1)}${failed > 0 ? `  ${failed} failed` : ""}`);
  };
}

function withWayOn(error: unknown, resume: unknown): unknown {
  if (!(error instanceof IsotorchError) || error.code !== "ABORTED") return error;
  const hint =
    typeof resume === "string"
      ? "The same command goes on where it stopped."
      : "With --resume FILE it could be gone on with.";
  return new IsotorchError("ABORTED", error.message, { cause: error, hint });
}

/** A picture that is not there has no hash. */
function readable({ samples, failures }: EvalResult): EvalResult["samples"] {
  const gone = failures.filter(({ error }) => /^INPUT_(?:NOT_FOUND|UNREADABLE)$/.test(error.code));
  const names = new Set(gone.map(({ name }) => name));
  return samples.filter(({ name }) => !names.has(name));
}

function json(input: string, result: EvalResult): string {
  const { pictures, evaluated, failed, resumed, folders, naming, correct1, correct5, top1, top5 } = result;
  const { weights, threads } = result.info;
  const failures = result.failures.map(({ name, error }) => ({ input: name, error }));
  return `${JSON.stringify({ input, pictures, evaluated, failed, resumed, folders, naming, correct1, correct5, top1, top5, weights, threads, failures })}\n`;
}

function text(directory: string, result: EvalResult): string {
  const { pictures, folders, naming, resumed, evaluated, failures, info } = result;
  const lines = [
    `${directory}: ${count(pictures, "picture")} in ${count(folders, "class folder")}, named by ${naming}`,
    ...(resumed > 0 ? [`${resumed} of them were answered before`] : []),
    ...(info.weights.trained === false
      ? [`${info.weights.name ?? "The server's network"}: an untrained network, its figures mean nothing`]
      : []),
    `top-1  ${percent(result.top1)}  (${result.correct1} of ${evaluated})`,
    `top-5  ${percent(result.top5)}  (${result.correct5} of ${evaluated})`,
    ...(failures.length > 0 ? [`failed ${failures.length}, counted in neither:`] : []),
    ...failures.map(({ name, error }) => `  ${shownName(name)}\n    ${error.code}: ${error.message}`),
  ];
  return `${lines.join("\n")}\n`;
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? "" : "s"}`;
}

function percent(fraction: number | null): string {
  return fraction === null ? "-" : `${(fraction * 100).toFixed(3)} %`;
}
