/** A run: the classifier once per handoff on one side, the reference on the other, picture after picture. */
import { shown } from "../base/text/shown.ts";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createClassifier } from "../classification/classifier.ts";
import type { Classifier } from "../classification/classifier.ts";
import { IsotorchError, messageOf } from "../base/errors.ts";
import { pathOf } from "../base/text/names.ts";
import { readLabelFile } from "../classification/labels/labels.ts";
import type { Attestation } from "../image/attest/attestation.ts";
import type { Integrity } from "../checkpoints/integrity.ts";
import type { InputSpec } from "../image/resample/geometry.ts";
import { ofWorker } from "../classification/info.ts";
import type { ClassifierOptions, ClassifyOptions, Handoff } from "../classification/options.ts";
import { PACKAGE_VERSION } from "../base/version.ts";
import type { WorkerInfo } from "../classification/info.ts";
import type { Against } from "./against.ts";
import { resolveAgainst } from "./against.ts";
import type { Tolerance } from "./compare/closeness.ts";
import { climb } from "./ladder.ts";
import type { Ladder } from "./ladder.ts";
import { ourStages } from "./ours.ts";
import { Kinds } from "./eval/pictures.ts";
import { Reference, sameNetwork } from "./reference.ts";
import type { OurTrace, Refusal, Traced } from "./stages.ts";

export interface ParityOptions {
  readonly classifier?: ClassifierOptions;
  /** What ours is compared with. @default "plain" */
  readonly against?: Against;
  /** @default ["tensor"] */
  readonly handoffs?: readonly Handoff[];
  /** How pictures are read; the reference always reads as the tutorial does. */
  readonly call?: Pick<ClassifyOptions, "exif" | "icc" | "mode">;
  /** @default not by one bit */
  readonly tolerance?: Tolerance | undefined;
  readonly signal?: AbortSignal;
}

/** One picture with all that was made of it. It holds the whole pixels: condense it before the next. */
export interface Compared {
  readonly input: string;
  readonly kind: string;
  readonly bytes: Uint8Array;
  readonly reference: Traced | Refusal;
  readonly attempts: readonly Attempt[];
}

/** Our side by one way of handing over. */
export interface Attempt {
  readonly handoff: Handoff;
  readonly ours: OurTrace | Refusal;
  readonly ladder: Ladder;
}

/** What a side ran on. */
export interface Side {
  readonly name: string;
  readonly versions: Readonly<Record<string, string>>;
  readonly device: string;
  readonly threads: number | null;
  /** Of the reference: what read the checkpoint. Absent in golden files from before. */
  readonly loadedBy?: string;
}

/** Whose network both sides ran. */
export interface ParityWeights {
  /** torchvision's name of the network. Absent, as what else is optional, in golden files from before. */
  readonly model?: string;
  readonly classes?: number;
  readonly name: string;
  readonly sha256: string;
  readonly integrity?: Integrity;
  /** Where in the file the state dict was, and what was in front of its names, if anything. */
  readonly checkpointKey?: string;
  readonly prefix?: string;
  /** What was decided of the file where it leaves something open, each a sentence. */
  readonly remarks?: readonly string[];
  /** Whose preprocessing it is; null for one's own, which `spec` has. */
  readonly transforms: string | null;
  readonly spec: InputSpec;
  /** What our side did itself, and how. */
  readonly attestation?: Attestation;
}

/** Both sides, started. */
export class Parity implements AsyncDisposable {
  readonly ours: Side;
  readonly reference: Side;
  readonly weights: ParityWeights;
  /** Of our side's first worker. */
  readonly info: WorkerInfo;
  readonly #classifiers: ReadonlyMap<Handoff, Classifier>;
  readonly #plain: Reference;
  readonly #options: ParityOptions;
  readonly #kinds = new Kinds();

  /** @throws IsotorchError whatever keeps one of the sides from starting. */
  static async start(options: ParityOptions = {}): Promise<Parity> {
    const classifiers = await startClassifiers(options);
    try {
      const [first] = classifiers.values();
      if (first === undefined) throw new IsotorchError("INVALID_OPTION", "No handoff was given.");
      const info = ofWorker(first.info(), "Parity");
      const plain = await startReference(info, options);
      return new Parity(classifiers, plain, info, options);
    } catch (error) {
      await closeAll(classifiers);
      throw error;
    }
  }

  private constructor(
    classifiers: ReadonlyMap<Handoff, Classifier>,
    plain: Reference,
    info: WorkerInfo,
    options: ParityOptions,
  ) {
    this.#classifiers = classifiers;
    this.#plain = plain;
    this.#options = options;
    this.ours = ourSide(info);
    const { versions, device, threads, loadedBy } = plain.info;
    const name = `plain PyTorch (${options.against ?? "plain"})`;
    this.reference = { name, versions, device, threads, loadedBy };
    this.weights = weightsOf(info);
    this.info = info;
  }

  /** One picture through both sides. @throws IsotorchError for what is not the picture's fault. */
  async compare(input: string): Promise<Compared> {
    const bytes = await readPicture(input);
    const reference = await this.#plain.trace(input);
    const { call, tolerance, signal } = this.#options;
    const attempts: Attempt[] = [];
    // One after the other: side by side they would fight for the cores that the network's threads want.
    for (const [handoff, classifier] of this.#classifiers) {
      const ours = await ourStages(classifier, bytes, { call: { ...call, ...(signal && { signal }) } });
      attempts.push({
        handoff,
        ours,
        ladder: climb(ours, reference, { handoff, tolerance }),
      });
    }
    return { input, kind: await this.#kinds.of(input, bytes), bytes, reference, attempts };
  }

  async close(): Promise<void> {
    await Promise.all([closeAll(this.#classifiers), this.#plain.close()]);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** Our side, with or without a worker. */
export function ourSide(info?: Pick<WorkerInfo, "python" | "versions" | "device" | "threads">): Side {
  const here = { isotorch: PACKAGE_VERSION, node: process.versions.node };
  if (info === undefined) return { name: "isotorch", versions: here, device: "none", threads: null };
  const versions = { ...here, python: info.python, ...info.versions };
  return { name: "isotorch", versions, device: info.device, threads: info.threads };
}

/** What the report says of the network. */
export function weightsOf({ model, classes, weights, spec, attestation }: WorkerInfo): ParityWeights {
  // Its path is this machine's own affair.
  const { path: _, trained: __, ...known } = weights;
  return { model, classes, ...known, spec, attestation };
}

async function readPicture(path: string): Promise<Uint8Array> {
  try {
    return await readFile(pathOf(path));
  } catch (cause) {
    const why = messageOf(cause);
    throw new IsotorchError("INPUT_UNREADABLE", `${shown(path)} cannot be read: ${why}.`, { cause });
  }
}

async function startClassifiers(options: ParityOptions): Promise<Map<Handoff, Classifier>> {
  const { classifier, handoffs = ["tensor"], signal } = options;
  const started = new Map<Handoff, Classifier>();
  try {
    // The first may have to download or make the checkpoint; the others then find it.
    for (const handoff of new Set(handoffs)) {
      started.set(handoff, await createClassifier({ ...classifier, handoff, ...(signal && { signal }) }));
    }
  } catch (error) {
    await closeAll(started);
    throw error;
  }
  return started;
}

async function startReference(info: WorkerInfo, options: ParityOptions): Promise<Reference> {
  const { classifier, against = "plain", signal } = options;
  const labels = await labelsFor(classifier?.labels);
  try {
    return await Reference.start({
      ...(await resolveAgainst(against, info, signal)),
      ...sameNetwork(info),
      ...(labels !== undefined && { labels: labels.file }),
      ...(signal && { signal }),
    });
  } finally {
    await labels?.remove();
  }
}

/** A label file for the reference, until it has read it. */
interface ReferenceLabels {
  readonly file: string;
  remove(): Promise<void>;
}

/**
 * The reference reads a label file by itself, as plain Python does; what is more than UTF-8 with one label per line is
 * written so for it. A list has no file.
 */
async function labelsFor(labels: ClassifierOptions["labels"]): Promise<ReferenceLabels | undefined> {
  if (labels === undefined) return undefined;
  if (typeof labels === "string") {
    const read = await readLabelFile(labels);
    if (read.isPlain) return { file: labels, remove: () => Promise.resolve() };
    const folder = await mkdtemp(join(tmpdir(), "isotorch-labels-"));
    const file = join(folder, "labels.txt");
    await writeFile(file, read.labels.map((label) => `${label}\n`).join(""));
    return { file, remove: () => rm(folder, { recursive: true, force: true }) };
  }
  throw new IsotorchError("INVALID_OPTION", "Parity takes labels as a file, because both sides read them.");
}

async function closeAll(classifiers: ReadonlyMap<Handoff, Classifier>): Promise<void> {
  await Promise.all([...classifiers.values()].map((classifier) => classifier.close()));
}
