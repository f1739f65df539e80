/** The other side of the ladder: a plain-PyTorch process that shares no code with the worker. */
import type { InputSpec } from "../image/resample/geometry.ts";
import type { WorkerInfo } from "../classification/info.ts";
import type { StageArray } from "./compare/array.ts";
import { ReferenceProcess, refusalIn, textsOf } from "./process.ts";
import type { ReferenceCall, ReferenceHeader } from "./process.ts";
import { LARGEST_RESIZED, STAGES } from "./stages.ts";
import type { ArrayStage, Refusal, Stage, Traced } from "./stages.ts";

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

/** One long-lived reference process. Pictures are answered one after the other. */
export class Reference implements AsyncDisposable {
  readonly info: ReferenceInfo;
  readonly labels: readonly string[];
  readonly #process: ReferenceProcess;
  #last: Promise<unknown> = Promise.resolve();

  /** @throws IsotorchError what the interpreter lacks, or why the checkpoint or device was refused. */
  static async start(options: ReferenceOptions): Promise<Reference> {
    const { python, variables, signal } = options;
    const { process, ready } = await ReferenceProcess.start({
      script: "parity_reference.py",
      python,
      flags: flagsOf(options),
      needs: "torch, torchvision, Pillow and NumPy",
      ...(variables && { variables }),
      ...(signal && { signal }),
    });
    return new Reference(process, ready);
  }

  private constructor(process: ReferenceProcess, ready: ReferenceHeader) {
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
    const refusal = refusalIn(header);
    if (refusal) return { kind: "refused", ...refusal };
    const arrays: Partial<Record<ArrayStage, StageArray>> = {};
    for await (const [name, array] of this.#process.readArrays(header)) {
      if (isArrayStage(name)) arrays[name] = array;
    }
    const skipped: Partial<Record<Stage, string>> = textsOf(header["skipped"]);
    return { kind: "traced", arrays, labels: this.labels, skipped };
  }
}

function flagsOf(options: ReferenceOptions): ReferenceCall["flags"] {
  return {
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
}

function isArrayStage(name: string): name is ArrayStage {
  return name !== "labels" && STAGES.some((stage) => stage === name);
}
