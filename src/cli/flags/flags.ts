/** Command-line flags: parsed strictly, and mapped to the options of the API under the same names. */
import { excerpt } from "../../base/text/shown.ts";
import { parseArgs } from "node:util";
import type { ParseArgsConfig } from "node:util";
import { IsotorchError, messageOf } from "../../base/errors.ts";
import { DEFAULT_LIMITS, type Limits } from "../../image/source/limits.ts";
import { WHOLE, defined, unexpected } from "../../base/options/check.ts";
import { didYouMean } from "../../base/options/suggest.ts";
import type { ClassifierOptions, ClassifyOptions, RemoteOptions } from "../../classification/options.ts";
import { transformsOf } from "./transforms.ts";
import { WARNINGS } from "../terminal/notes.ts";
import { showProgress } from "../terminal/progress.ts";

type Flags = NonNullable<ParseArgsConfig["options"]>;

export type Values = Readonly<Record<string, string | boolean | (string | boolean)[] | undefined>>;

/** @throws IsotorchError `INVALID_OPTION` for an unknown flag, naming the nearest known one. */
export function parseFlags(
  argv: readonly string[],
  options: Flags,
): { values: Values; positionals: string[] } {
  try {
    return parseArgs({ args: [...argv], options, strict: true, allowPositionals: true });
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    const asks = code === "ERR_PARSE_ARGS_UNKNOWN_OPTION";
    const unknown = /'(--?[^']*)'/.exec(message)?.[1] ?? "";
    const flag = unknown.replace(/^--?/, "");
    const meant = asks ? didYouMean(flag, Object.keys(options), (known) => `--${known}`) : undefined;
    const sentence = asks ? `There is no flag ${excerpt(unknown)}.` : messageOf(cause);
    throw new IsotorchError("INVALID_OPTION", sentence, {
      cause,
      hint: meant ?? "`--help` shows what this command takes.",
    });
  }
}

/** The classifier's options that these flags ask for, with progress on a terminal's stderr, and warnings on any. */
export function classifierOptions(values: Values): ClassifierOptions {
  const options = {
    remote: remoteOf(values),
    model: values["model"],
    weights: values["weights"],
    checkpointKey: values["checkpoint-key"],
    sha256: values["sha256"],
    trustCheckpoint: values["trust-checkpoint"],
    transforms: values["transforms"] === undefined ? undefined : transformsOf(String(values["transforms"])),
    device: devicesOf(values["device"]),
    workers: values["workers"] === undefined ? undefined : wholeNumber("workers", values["workers"]),
    batch: batchOf(values["batch"]),
    precision: values["precision"],
    handoff: values["handoff"],
    threads: values["threads"] === undefined ? undefined : wholeNumber("threads", values["threads"]),
    python: values["python"],
    env: values["env"],
    labels: values["labels"],
    cacheDir: values["cache-dir"],
    offline: values["offline"],
    mirror: values["mirror"],
    limits: limitsOf(values),
    onProgress: process.stderr.isTTY ? showProgress : undefined,
    logger: WARNINGS,
  };
  return defined<Record<string, unknown>>(options); // the values are checked by createClassifier()
}

/** The token comes from the environment, which other users cannot read. */
function remoteOf(values: Values): RemoteOptions | undefined {
  const urls = [values["remote"] ?? []].flat().map(String);
  const [first, ...others] = urls;
  if (first === undefined) return undefined;
  const token = process.env["ISOTORCH_TOKEN"];
  const model = values["remote-model"];
  return {
    url: [first, ...others],
    ...(token !== undefined && token !== "" && { token }),
    ...(model !== undefined && { model: String(model) }),
  };
}

function limitsOf(values: Values): Partial<Limits> | undefined {
  const given = Object.keys(DEFAULT_LIMITS).flatMap((name) => {
    const value = values[`max-${name}`];
    return value === undefined ? [] : [[name, wholeNumber(`max-${name}`, value)] as const];
  });
  return given.length === 0 ? undefined : Object.fromEntries(given);
}

/** `cuda:0,cuda:1` as a list. */
function devicesOf(device: unknown): unknown {
  return typeof device === "string" && device.includes(",") ? device.split(",") : device;
}

function batchOf(batch: unknown): { maxSize: number } | undefined {
  return batch === undefined ? undefined : { maxSize: wholeNumber("batch", batch) };
}

/** How pictures are to be read by these flags. */
export function imageOptions(values: Values): ClassifyOptions {
  return defined<Record<string, unknown>>({ exif: values["exif"], icc: values["icc"], mode: values["mode"] });
}

/** @throws IsotorchError `INVALID_OPTION`. */
export function wholeNumber(flag: string, value: unknown): number {
  if (typeof value === "string" && /^\d+$/.test(value)) return Number(value);
  throw unexpected(`--${flag} is`, value, WHOLE[0]);
}

/** The same for one that may have a point or an exponent. */
export function numberFrom0(flag: string, value: unknown): number {
  if (typeof value === "string" && /^(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d{1,2})?$/i.test(value))
    return Number(value);
  throw unexpected(`--${flag} is`, value, "a number from 0");
}

/** The same from 0 to 1. */
export function fraction(flag: string, value: unknown): number {
  const number = numberFrom0(flag, value);
  if (number <= 1) return number;
  throw unexpected(`--${flag} is`, value, "a number from 0 to 1");
}

/** @throws IsotorchError `INVALID_OPTION`, suggesting a known value. */
export function oneOf<T extends string>(flag: string, value: unknown, known: readonly T[]): T {
  const found = known.find((candidate) => candidate === value);
  if (found !== undefined) return found;
  const meant = didYouMean(String(value), known, (one) => `--${flag} ${one}`);
  const hint = meant ?? `\`--help\` shows what this command takes after --${flag}.`;
  throw unexpected(`--${flag} is`, value, known.join(", "), hint);
}
