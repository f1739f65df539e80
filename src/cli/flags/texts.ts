/** Flags of the commands about texts, as the options of the API under the same names. */
import { defined, unexpected } from "../../base/options/check.ts";
import type { GenerateOptions, GeneratorOptions } from "../../generation/options.ts";
import { WARNINGS } from "../terminal/notes.ts";
import { showProgress } from "../terminal/progress.ts";
import { type Values, fraction, numberFrom0, wholeNumber } from "./flags.ts";

const MOST_CANDIDATES = 100;
const LARGEST_SEED = 2 ** 32 - 1;

/** The generator's options that these flags ask for, with progress on a terminal's stderr, and warnings on any. */
export function generatorOptions(values: Values): GeneratorOptions {
  return defined<Record<string, unknown>>({
    model: values["model"],
    weights: values["weights"],
    sha256: values["sha256"],
    device: values["device"],
    threads: values["threads"] === undefined ? undefined : wholeNumber("threads", values["threads"]),
    python: values["python"],
    env: values["env"],
    cacheDir: values["cache-dir"],
    offline: values["offline"],
    mirror: values["mirror"],
    onProgress: process.stderr.isTTY ? showProgress : undefined,
    logger: WARNINGS,
  });
}

/** How a text is to be continued. @throws IsotorchError `INVALID_OPTION`, before anything is started. */
export function generateOptions(values: Values): GenerateOptions {
  const given = <T>(flag: string, read: (flag: string, value: unknown) => T): T | undefined =>
    values[flag] === undefined ? undefined : read(flag, values[flag]);
  return defined<Record<string, unknown>>({
    maxTokens: given("max-tokens", from1),
    temperature: given("temperature", numberFrom0),
    topK: given("top-k", wholeNumber),
    topP: given("top-p", (flag, value) => above0(flag, value, fraction)),
    minP: given("min-p", fraction),
    repetitionPenalty: given("repetition-penalty", (flag, value) => above0(flag, value, numberFrom0)),
    seed: given("seed", (flag, value) => upTo(LARGEST_SEED, flag, value)),
    candidates: given("candidates", (flag, value) => upTo(MOST_CANDIDATES, flag, value)),
    stop: given("stop", (_, value) => [value].flat().map(String)),
    timeoutMs: timeoutOf(values),
  });
}

/** Milliseconds; undefined for the network's own. */
export function timeoutOf({ timeout }: Values): number | undefined {
  return timeout === undefined ? undefined : wholeNumber("timeout", timeout);
}

function from1(flag: string, value: unknown): number {
  const count = wholeNumber(flag, value);
  if (count >= 1) return count;
  throw unexpected(`--${flag} is`, value, "a whole number from 1");
}

function upTo(most: number, flag: string, value: unknown): number {
  const count = wholeNumber(flag, value);
  if (count <= most) return count;
  throw unexpected(`--${flag} is`, value, `a whole number from 0 to ${most}`);
}

function above0(flag: string, value: unknown, read: (flag: string, value: unknown) => number): number {
  const number = read(flag, value);
  if (number > 0) return number;
  throw unexpected(`--${flag} is`, value, "a number above 0");
}
