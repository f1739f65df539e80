import { createHash } from "node:crypto";
import { fileURLToPath } from "node:url";
import { DEFAULT_POLICY } from "../../src/worker/supervision/policy.ts";
import type { SupervisionPolicy } from "../../src/worker/supervision/policy.ts";
import type { WorkerStart } from "../../src/worker/open.ts";
import { startWorker } from "../../src/worker/open.ts";
import type { Phase } from "../../src/backend.ts";
import { Supervisor } from "../../src/worker/supervisor.ts";
import type { Call, SupervisorOptions } from "../../src/worker/supervisor.ts";
import { classify } from "../../src/tasks/classify.ts";
import type { Ranking, ToClassify } from "../../src/tasks/classify.ts";
import { PYTHON } from "../python.ts";

export const STUB: string = fileURLToPath(new URL("../fixtures/workers/stub.py", import.meta.url));

const LOAD: NonNullable<WorkerStart["load"]> = {
  task: "image-classification",
  model: "resnet101",
  checkpoint: "/nowhere.pth",
  checkpointKey: null,
  sha256: null,
  seed: null,
  network: { transforms: "IMAGENET1K_V1", spec: null },
  device: "cpu",
  precision: "exact",
  threads: 1,
  maxBatch: 0,
};

/** What one stub worker is started with. */
export interface StubOptions {
  readonly fault?: string;
  /** A file that gets one line for every start and every execution. */
  readonly journal?: string;
  /** Milliseconds that each answer takes. */
  readonly workMs?: number;
  readonly policy?: Partial<SupervisionPolicy>;
  readonly onPhase?: (phase: Phase) => void;
  readonly signal?: AbortSignal;
}

/** Options of a session with the stub in the place of the worker. */
export function stubSession(
  generation: number,
  { fault = "none", journal = "/dev/null", workMs = 0 }: StubOptions = {},
): WorkerStart {
  return {
    command: { python: PYTHON, args: ["-u", STUB, fault, journal, String(workMs)], variables: {} },
    generation,
    load: LOAD,
    timeouts: { helloMs: 10_000, readyMs: 10_000 },
    onProgress: () => undefined,
    onLog: () => undefined,
  };
}

/** A supervisor over stub workers, with short delays. */
export function startStub(options: StubOptions = {}): Promise<Supervisor> {
  return Supervisor.start({
    policy: { ...DEFAULT_POLICY, restartDelaysMs: [20], maxExits: 1_000_000, ...options.policy },
    start: stubStart(options),
    onPhase: options.onPhase ?? (() => undefined),
    signal: options.signal,
  });
}

/** How a supervisor starts a stub worker. */
export function stubStart(options: StubOptions = {}): SupervisorOptions["start"] {
  return ({ generation, signal, onProgress, onExit }) =>
    startWorker({ ...stubSession(generation, options), signal, onProgress, onExit });
}

/** A text as the pixels of a picture, three bytes each; an encoded picture would go apart from the batches. */
export function pixelsOf(text: string): Buffer {
  const bytes = Buffer.from(text);
  return Buffer.concat([bytes, Buffer.alloc((3 - (bytes.length % 3)) % 3, " ")]);
}

/** A text as what there is to classify. */
export function asPicture(text: string): ToClassify {
  const data = pixelsOf(text);
  const pixels = { data, width: data.byteLength / 3, height: 1 };
  return {
    picture: { handoff: "pixels", pixels },
    topK: 1,
    activation: "softmax",
    include: [],
    maxPixels: 1,
  };
}

/** A call of a supervisor. */
export function callOf(input: ToClassify): Call<"classify"> {
  return { task: "classify", isReplayable: classify.isReplayable, ...classify.contentOf(input) };
}

/** Sends a text as a picture; the answer is a digest of it. */
export async function ask(
  supervisor: Pick<Supervisor, "run">,
  text: string,
  { signal, deadlineMs = null }: { readonly signal?: AbortSignal; readonly deadlineMs?: number | null } = {},
): Promise<number | undefined> {
  let ranking: Ranking | undefined;
  await supervisor.run(callOf(asPicture(text)), (reply) => (ranking = classify.partOf(reply)), {
    deadlineMs,
    signal,
  });
  return ranking?.scores[0];
}

/** What the stub answers to a text. */
export function digest(text: string): number {
  return createHash("sha256").update(pixelsOf(text)).digest().readUIntBE(0, 3) / 2 ** 24;
}

/** How the journal names the execution of a text. */
export function runOf(text: string): string {
  return `run ${createHash("sha256").update(pixelsOf(text)).digest("hex").slice(0, 16)}`;
}
