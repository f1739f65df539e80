/** Plain PyTorch beside ours for one picture: a process that shares no code with the worker, started when asked for. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Classifier } from "../../classification/classifier.ts";
import { ofWorker } from "../../classification/info.ts";
import { IsotorchError } from "../../base/errors.ts";
import { sniffFormat } from "../../image/decode/sniff.ts";
import { resolveAgainst } from "../../parity/against.ts";
import { climb } from "../../parity/ladder.ts";
import type { Ladder } from "../../parity/ladder.ts";
import { ourStages } from "../../parity/ours.ts";
import { Reference, sameNetwork } from "../../parity/reference.ts";
import type { Refusal, Traced } from "../../parity/stages.ts";
import type { Pictures } from "../picture.ts";

/** One class as the reference ranks it. */
export interface ReferenceClass {
  readonly label: string;
  readonly index: number;
  readonly percent: number;
}

export interface Comparison {
  readonly ladder: Ladder;
  readonly reference: {
    readonly top: readonly ReferenceClass[];
    readonly versions: Readonly<Record<string, string>>;
  };
}

const MAX_WAITING = 8;
/** The process holds a network in memory: it goes when nobody has asked for a while. */
const IDLE_MS = 120_000;
/** Start included. */
const LONGEST_MS = 120_000;
const TOP = 5;

export class Comparer {
  readonly #classifier: Classifier;
  readonly #pictures: Pictures;
  #reference:
    | { readonly of: string; readonly process: Promise<Reference>; readonly end: AbortController }
    | undefined;
  #last: Promise<unknown> = Promise.resolve();
  #waiting = 0;
  #idle: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(classifier: Classifier, pictures: Pictures) {
    this.#classifier = classifier;
    this.#pictures = pictures;
  }

  /** One picture at a time, in the order in which they were asked for. @throws IsotorchError */
  async compare(bytes: Uint8Array, signal: AbortSignal): Promise<Comparison> {
    sniffFormat(bytes);
    if (this.#waiting >= MAX_WAITING) {
      throw new IsotorchError("QUEUE_FULL", "Too many comparisons wait already.", { retryAfterMs: 5_000 });
    }
    this.#waiting += 1;
    clearTimeout(this.#idle);
    const turn = this.#last.then(() => {
      signal.throwIfAborted();
      return this.#compare(bytes, signal);
    });
    this.#last = turn.catch(() => undefined);
    try {
      return await turn;
    } finally {
      this.#waiting -= 1;
      if (this.#waiting === 0) this.#idle = setTimeout(() => void this.#end(), IDLE_MS).unref();
    }
  }

  /** Ends the process. Idempotent. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#idle);
    await this.#end();
  }

  async #compare(bytes: Uint8Array, signal: AbortSignal): Promise<Comparison> {
    const pixels = await this.#pictures.pixels(bytes, { signal });
    const ours = await ourStages(
      this.#classifier,
      pixels === undefined ? bytes : { ...pixels, channels: 3 },
      // What the decoder process left to the worker is not decoded in this process either.
      { call: { signal, ...(pixels === undefined && { handoff: "encoded" as const }) } },
    );
    const overdue = setTimeout(() => void this.#kill(), LONGEST_MS);
    try {
      const reference = await this.#process();
      const traced = await this.#trace(reference, bytes);
      const ladder = climb(ours, traced);
      return { ladder, reference: { top: topOf(traced), versions: reference.info.versions } };
    } catch (error) {
      await this.#end();
      throw error;
    } finally {
      clearTimeout(overdue);
    }
  }

  /** The reference reads a file: this one has a name of ours, in a directory that nobody else may enter. */
  async #trace(reference: Reference, bytes: Uint8Array): Promise<Traced | Refusal> {
    const folder = await mkdtemp(join(tmpdir(), "isotorch-compare-"));
    try {
      const file = join(folder, "picture");
      await writeFile(file, bytes, { mode: 0o600 });
      return await reference.trace(file);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }

  async #process(): Promise<Reference> {
    if (this.#closed) throw new IsotorchError("CLOSED", "The server is shutting down.");
    const info = ofWorker(this.#classifier.info(), "A comparison");
    const network = sameNetwork(info);
    const of = JSON.stringify(network);
    if (this.#reference !== undefined && this.#reference.of !== of) await this.#end(); // the weights were swapped
    if (this.#reference === undefined) {
      const end = new AbortController();
      const process = resolveAgainst("plain", info, end.signal).then((where) =>
        Reference.start({ ...where, ...network, signal: end.signal }),
      );
      this.#reference = { of, process, end };
    }
    return this.#reference.process;
  }

  async #kill(): Promise<void> {
    this.#reference?.end.abort(new IsotorchError("DEADLINE_EXCEEDED", "Plain PyTorch took too long."));
  }

  async #end(): Promise<void> {
    const reference = this.#reference;
    this.#reference = undefined;
    await reference?.process.then(
      (process) => process.close(),
      () => undefined,
    );
  }
}

function topOf(traced: Traced | Refusal): ReferenceClass[] {
  if (traced.kind === "refused") return [];
  const order = [...(traced.arrays.order?.data ?? [])].slice(0, TOP);
  const percentages = traced.arrays.percentages?.data;
  return order.map((index) => ({
    label: traced.labels?.[index] ?? "",
    index,
    percent: percentages?.[index] ?? Number.NaN,
  }));
}
