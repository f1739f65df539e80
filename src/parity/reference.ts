/** The other side of the ladder: a plain-PyTorch process that shares no code with the worker. */
import { fileURLToPath } from "node:url";
import { Child } from "../base/child.ts";
import { ERROR_CODES, IsotorchError } from "../base/errors.ts";
import type { IsotorchErrorCode } from "../base/errors.ts";
import { endText } from "../base/status.ts";
import { isRecord } from "../base/files/json.ts";
import type { InputSpec } from "../image/resample/geometry.ts";
import { recordIn } from "../python/answer.ts";
import { scriptArguments } from "../python/script.ts";
import type { WorkerInfo } from "../classification/info.ts";
import { arrayFromBytes, byteLengthOf } from "./compare/array.ts";
import type { StageArray } from "./compare/array.ts";
import { ByteReader } from "./golden/byte-reader.ts";
import { LARGEST_RESIZED, STAGES } from "./stages.ts";
import type { ArrayStage, Refusal, Stage, Traced } from "./stages.ts";

/** The reference's script, run as a file: it imports nothing of this package. */
export const REFERENCE_SCRIPT: string = fileURLToPath(
  new URL("../../python/parity_reference.py", import.meta.url),
);

export interface ReferenceOptions {
  /** The interpreter. It needs torch, torchvision, Pillow and NumPy. */
  readonly python: string;
  /** Environment variables to set for it, over the present ones: conda's activation. */
  readonly variables?: Readonly<Record<string, string>>;
  readonly checkpoint: string;
  /** Lower-case hex; the file is refused when it has another hash. */
  readonly sha256?: string;
  /** torchvision's name of the network. @default "resnet101" */
  readonly model?: string;
  /** @default 1000 */
  readonly classes?: number;
  /** The preprocessing. @default the tutorial's */
  readonly spec?: InputSpec;
  /** Where in the file the state dict is. @default the whole file */
  readonly checkpointKey?: string | undefined;
  /** What is in front of each of its names. @default nothing */
  readonly prefix?: string | undefined;
  /** @default "cpu" */
  readonly device?: string;
  /** @default PyTorch's own choice */
  readonly threads?: number;
  /** A file with one label per line. @default torchvision's categories for 1,000 classes, else `class 0` and so on */
  readonly labels?: string;
  /** Ends the process. */
  readonly signal?: AbortSignal;
}

/** What the other side runs on. */
export interface ReferenceInfo {
  /** python, torch, torchvision, pillow, libjpeg and the like. */
  readonly versions: Readonly<Record<string, string>>;
  readonly executable: string;
  readonly device: string;
  readonly deviceName: string;
  readonly threads: number;
  /** What read the checkpoint: torch itself, or, for a file that torch does not read without running its code, isotorch's reader. */
  readonly loadedBy: string;
}

/** The network, its checkpoint and its preprocessing, of a worker for its reference. */
export function sameNetwork({
  model,
  classes,
  spec,
  threads,
  weights,
}: Pick<WorkerInfo, "model" | "classes" | "spec" | "threads" | "weights">): Omit<ReferenceOptions, "python"> {
  const { path, sha256, checkpointKey, prefix } = weights;
  return { checkpoint: path, sha256, model, classes, spec, checkpointKey, prefix, threads };
}

const POLITE_EXIT_MS = 3_000;

/** One long-lived reference process. Pictures are answered one after the other. */
export class Reference implements AsyncDisposable {
  readonly info: ReferenceInfo;
  readonly labels: readonly string[];
  readonly #process: ReferenceProcess;
  #last: Promise<unknown> = Promise.resolve();

  /** @throws IsotorchError what the interpreter lacks, or why the checkpoint or device was refused. */
  static async start(options: ReferenceOptions): Promise<Reference> {
    const process = new ReferenceProcess(options);
    try {
      const { ready, fatal } = await process.readHeader();
      if (isRecord(fatal)) throw refusedStart(fatal, options);
      return new Reference(process, isRecord(ready) ? ready : {});
    } catch (error) {
      await process.end();
      throw error;
    }
  }

  private constructor(process: ReferenceProcess, ready: Readonly<Record<string, unknown>>) {
    const { versions, executable, device, deviceName, threads, labels, loadedBy } = ready;
    this.#process = process;
    this.labels = Array.isArray(labels) ? labels.map(String) : [];
    this.info = {
      versions: textsOf(versions),
      executable: String(executable),
      device: String(device),
      deviceName: String(deviceName),
      threads: Number(threads),
      loadedBy: String(loadedBy),
    };
  }

  /** Every stage of a picture file, or the reason why Python would not take it. */
  trace(path: string): Promise<Traced | Refusal> {
    const answer = this.#last.then(() => this.#ask(path));
    this.#last = answer.catch(() => undefined);
    return answer;
  }

  /** Ends the process and waits until it is gone. Idempotent. */
  close(): Promise<void> {
    return this.#process.end();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #ask(path: string): Promise<Traced | Refusal> {
    this.#process.write({ path });
    const header = await this.#process.readHeader();
    if (isRecord(header["error"])) {
      const { type, message } = header["error"];
      return { kind: "refused", code: String(type), message: String(message) };
    }
    const stages: unknown[] = Array.isArray(header["stages"]) ? header["stages"] : [];
    const arrays: Partial<Record<ArrayStage, StageArray>> = {};
    for (const stage of stages) {
      const { name, dtype, shape } = isRecord(stage) ? stage : {};
      const bytes = await this.#process.readBytes(byteLengthOf(dtype, shape));
      if (isArrayStage(name)) arrays[name] = arrayFromBytes(dtype, shape, bytes);
    }
    const skipped: Partial<Record<Stage, string>> = textsOf(header["skipped"]);
    return { kind: "traced", arrays, labels: this.labels, skipped };
  }
}

/** The process with its pipes: lines of JSON in, lines of JSON and raw bytes out. */
class ReferenceProcess {
  readonly #child: Child<"pipes">;
  readonly #reader: ByteReader;

  constructor(options: ReferenceOptions) {
    const { python, variables, signal } = options;
    this.#child = Child.start("pipes", python, scriptArguments(REFERENCE_SCRIPT, ...argumentsOf(options)), {
      env: { ...process.env, ...variables },
      ...(signal && { signal }),
    });
    this.#reader = new ByteReader(this.#child.stdout);
  }

  write(request: object): void {
    this.#child.stdin.write(`${JSON.stringify(request)}\n`);
  }

  async readHeader(): Promise<Readonly<Record<string, unknown>>> {
    const printed = recordIn(await this.#orDied(this.#reader.line()));
    if (printed.record) return printed.record;
    throw new IsotorchError("PROTOCOL_ERROR", `The reference process answered wrongly: ${printed.broken}.`, {
      stderr: this.#child.words.text,
      hint: "Something in this Python writes into its output; `isotorch doctor` looks at it",
    });
  }

  readBytes(count: number): Promise<Uint8Array> {
    return this.#orDied(this.#reader.bytes(count));
  }

  async end(): Promise<void> {
    const finish = (): void => {
      this.#child.stdin.end();
      // What it still wants to say must not keep it from ending.
      this.#child.stdout.destroy();
    };
    await this.#child.end(finish, POLITE_EXIT_MS);
  }

  async #orDied<T>(read: Promise<T | undefined>): Promise<T> {
    const value = await read;
    if (value !== undefined) return value;
    const { code, signal, error } = await this.#child.closed;
    const stderr = error?.message ?? this.#child.words.text;
    const how = error ? "could not be started" : `ended ${endText(code, signal)}`;
    throw new IsotorchError("WORKER_DIED", `The reference process ${how}.`, {
      stderr,
      hint: stderr.trim().split("\n").at(-1) || "it printed nothing",
    });
  }
}

function argumentsOf(options: ReferenceOptions): string[] {
  const flags = {
    checkpoint: options.checkpoint,
    sha256: options.sha256,
    model: options.model,
    classes: options.classes,
    spec: options.spec && JSON.stringify(options.spec),
    "checkpoint-key": options.checkpointKey,
    prefix: options.prefix,
    device: options.device,
    threads: options.threads,
    labels: options.labels,
    largest: LARGEST_RESIZED,
  };
  return Object.entries(flags).flatMap(([name, value]) =>
    // In one word: a value may begin with a dash.
    value === undefined ? [] : [`--${name}=${String(value)}`],
  );
}

function refusedStart(
  { code, message }: Readonly<Record<string, unknown>>,
  { python }: ReferenceOptions,
): IsotorchError {
  const known = ERROR_CODES.find((candidate) => candidate === code);
  const fallback: IsotorchErrorCode = "WORKER_START_FAILED";
  return new IsotorchError(known ?? fallback, `The reference process cannot start: ${String(message)}.`, {
    hint:
      known === "DEVICE_UNAVAILABLE"
        ? "Compare on a device that both have, as with --device cpu"
        : `It runs in ${python}, which needs torch, torchvision, Pillow and NumPy`,
  });
}

function isArrayStage(name: unknown): name is ArrayStage {
  return name !== "labels" && STAGES.some((stage) => stage === name);
}

function textsOf(value: unknown): Record<string, string> {
  if (!isRecord(value)) return {};
  return Object.fromEntries(Object.entries(value).map(([name, text]) => [name, String(text)]));
}
