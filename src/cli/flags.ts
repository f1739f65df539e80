/** Command-line flags: parsed strictly, and mapped to the options of the API under the same names. */
import { parseArgs } from "node:util";
import type { ParseArgsConfig } from "node:util";
import { IsotorchError, messageOf } from "../errors.ts";
import { nearest } from "../nearest.ts";
import type { ClassifierOptions, ClassifyOptions, ProgressEvent } from "../options.ts";

type Flags = NonNullable<ParseArgsConfig["options"]>;

/** Flags that choose the worker and its checkpoint; shared by all commands that start one. */
export const CLASSIFIER_FLAGS: Flags = {
  weights: { type: "string" },
  sha256: { type: "string" },
  "trust-checkpoint": { type: "boolean" },
  transforms: { type: "string" },
  device: { type: "string" },
  workers: { type: "string" },
  batch: { type: "string" },
  precision: { type: "string" },
  handoff: { type: "string" },
  threads: { type: "string" },
  python: { type: "string" },
  env: { type: "string" },
  labels: { type: "string" },
  "cache-dir": { type: "string" },
  offline: { type: "boolean" },
  mirror: { type: "string" },
};

/** Flags that say how a picture is read. */
export const IMAGE_FLAGS: Flags = {
  exif: { type: "string" },
  icc: { type: "string" },
  mode: { type: "string" },
};

export const CLASSIFIER_FLAGS_HELP: string = `Network:
  --weights NAME       IMAGENET1K_V1 (default), IMAGENET1K_V2, a .pth file, or untrained:SEED
  --sha256 HEX         the full hash of a .pth file of your own
  --trust-checkpoint   load a .pth file without knowing its hash
  --transforms NAME    whose preprocessing a .pth file takes: IMAGENET1K_V1 (default) or IMAGENET1K_V2
  --device D           auto (default), cpu, cuda, cuda:N, or a list such as cuda:0,cuda:1: one worker each
  --workers N          workers side by side, one per GPU; on a CPU they share its cores
  --precision P        exact (default: every bit of plain PyTorch), fused, bf16 or fp16
  --batch N            pictures that a worker takes at once at most; 0 (default) = its own choice
  --threads N          PyTorch's CPU threads; they belong to the answer's last bits
  --handoff KIND       tensor (default), pixels or encoded: what crosses to the worker
  --labels FILE        one label per line instead of the weights' own
Environment:
  --python PATH        this interpreter and no other      --env NAME|PREFIX  this conda environment
  --cache-dir DIR      where checkpoints are kept         --offline          never download
  --mirror URL         where checkpoints are downloaded from, instead of torchvision's servers
`;

export const IMAGE_FLAGS_HELP: string = `Pictures:
  --exif ignore|apply          as stored, as Pillow does (default), or turned upright
  --icc ignore|to-srgb         stored values, as Pillow does (default), or converted by the profile
  --mode convert-rgb|strict    convert("RGB") as Pillow does (default), or refuse what is not RGB
`;

type Values = Readonly<Record<string, string | boolean | (string | boolean)[] | undefined>>;

/** @throws IsotorchError `INVALID_OPTION` for an unknown flag, naming the nearest known one. */
export function parseFlags(
  argv: readonly string[],
  options: Flags,
): { values: Values; positionals: string[] } {
  try {
    return parseArgs({ args: [...argv], options, strict: true, allowPositionals: true });
  } catch (cause) {
    const unknown = /'--?([\w-]+)'/.exec(messageOf(cause))?.[1];
    const meant = unknown === undefined ? undefined : nearest(unknown, Object.keys(options));
    const asks = (cause as NodeJS.ErrnoException).code === "ERR_PARSE_ARGS_UNKNOWN_OPTION";
    const sentence = asks ? `There is no flag --${unknown}.` : messageOf(cause);
    throw new IsotorchError("INVALID_OPTION", sentence, {
      cause,
      hint:
        asks && meant !== undefined ? `Did you mean --${meant}?` : "`--help` shows what this command takes.",
    });
  }
}

/** The classifier's options that these flags ask for, with progress on a terminal's stderr. */
export function classifierOptions(values: Values): ClassifierOptions {
  const options = {
    weights: values["weights"],
    sha256: values["sha256"],
    trustCheckpoint: values["trust-checkpoint"],
    transforms: values["transforms"],
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
    onProgress: process.stderr.isTTY ? showProgress : undefined,
  };
  return defined(options); // the values are checked by createClassifier()
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
  return defined({ exif: values["exif"], icc: values["icc"], mode: values["mode"] });
}

/** @throws IsotorchError `INVALID_OPTION`. */
export function wholeNumber(flag: string, value: unknown): number {
  if (typeof value === "string" && /^\d+$/.test(value)) return Number(value);
  throw new IsotorchError(
    "INVALID_OPTION",
    `--${flag} is "${String(value)}", expected a whole number from 0.`,
  );
}

function defined(options: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}

function showProgress({ status, name, progress }: ProgressEvent): void {
  if (status === "ready" || status === "done") return void process.stderr.write("\r\x1b[2K");
  const percent = progress === undefined ? "" : ` ${progress.toFixed(0)} %`;
  process.stderr.write(`\r\x1b[2K${status === "worker" ? "worker: " : ""}${name}${percent}`);
}
