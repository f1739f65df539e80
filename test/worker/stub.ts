import { createHash } from "node:crypto";
import { fileURLToPath } from "node:url";
import { DEFAULT_POLICY } from "../../src/worker/supervision/policy.ts";
import type { SupervisionPolicy } from "../../src/worker/supervision/policy.ts";
import type { SessionOptions } from "../../src/worker/session.ts";
import type { Phase } from "../../src/backend.ts";
import { Supervisor } from "../../src/worker/supervisor.ts";
import { floatsOf, frameOf } from "../../src/protocol/wire.ts";
import { PYTHON } from "../python.ts";

export const STUB: string = fileURLToPath(new URL("../fixtures/workers/stub.py", import.meta.url));

const LOAD: NonNullable<SessionOptions["load"]> = {
  task: "image-classification",
  model: "resnet101",
  checkpoint: "/nowhere.pth",
  sha256: null,
  trust: true,
  seed: null,
  transforms: "IMAGENET1K_V1",
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
): SessionOptions {
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
    session: (generation) => stubSession(generation, options),
    onPhase: options.onPhase ?? (() => undefined),
    signal: options.signal,
  });
}

/** A text as the pixels of a picture, three bytes each; an encoded picture would go apart from the batches. */
export function pixelsOf(text: string): Buffer {
  const bytes = Buffer.from(text);
  return Buffer.concat([bytes, Buffer.alloc((3 - (bytes.length % 3)) % 3, " ")]);
}

/** Sends a text as a picture; the answer is a digest of it. */
export async function ask(
  supervisor: Pick<Supervisor, "request">,
  text: string,
  { signal, deadlineMs = null }: { readonly signal?: AbortSignal; readonly deadlineMs?: number | null } = {},
): Promise<number | undefined> {
  const data = pixelsOf(text);
  const reply = await supervisor.request(
    "classify",
    { handoff: "pixels", topK: 1, include: [], maxPixels: 1, deadlineMs },
    [{ name: "pixels", dtype: "|u1", shape: [1, 1, data.byteLength / 3, 3], data }],
    signal === undefined ? {} : { signal },
  );
  return floatsOf(frameOf(reply, "scores"))[0];
}

/** What the stub answers to a text. */
export function digest(text: string): number {
  return createHash("sha256").update(pixelsOf(text)).digest().readUIntBE(0, 3) / 2 ** 24;
}

/** How the journal names the execution of a text. */
export function runOf(text: string): string {
  return `run ${createHash("sha256").update(pixelsOf(text)).digest("hex").slice(0, 16)}`;
}
