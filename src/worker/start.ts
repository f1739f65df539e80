/** From resolved options to a worker that is ready: environment, checkpoint, session. */
import { isDeepStrictEqual } from "node:util";
import { IsotorchError } from "../base/errors.ts";
import type { Attestation } from "../image/attest/attestation.ts";
import type { Digests } from "../image/attest/built-in.ts";
import type { Handoff } from "../protocol/messages.ts";
import type { WorkerOptions } from "./options.ts";
import { resolveCheckpoint } from "../checkpoints/resolve.ts";
import type { Checkpoint, TransformsName } from "../checkpoints/resolve.ts";
import { findEnvironment, forgetEnvironment } from "../python/environment.ts";
import type { Environment, EnvironmentOptions } from "../python/environment.ts";
import { placementsOf, saysThreads } from "./placement.ts";
import type { Placement } from "./placement.ts";
import { Pool } from "./pool.ts";
import type { Start } from "./pool.ts";
import { usableCpus } from "../python/quota.ts";
import { scriptArguments, WORKER_SCRIPT } from "../python/script.ts";
import type { WireSpec } from "../protocol/messages.ts";
import { DEFAULT_POLICY } from "./supervision/policy.ts";
import type { SupervisionPolicy } from "./supervision/policy.ts";
import { startWorker } from "./open.ts";
import type { WorkerStart } from "./open.ts";
import type { Phase } from "../backend.ts";
import { surroundings } from "../python/surroundings.ts";
import { noteUsed } from "../python/used.ts";
import type { WorkerReady } from "./ready.ts";
import type { Session } from "./session.ts";
import { PROTOCOL_VERSION } from "../protocol/wire.ts";

/** What was chosen and what runs; every value was measured or answered, none assumed. */
export interface WorkerInfo {
  readonly package: string;
  readonly protocol: number;
  readonly pid: number;
  readonly python: string;
  readonly executable: string;
  /** How the environment was found; `remote` where a server has one of its own. */
  readonly environment: Environment["kind"] | "remote";
  /** Why this environment was chosen, and which one was used before it. */
  readonly environmentReason: string;
  /** torch, torchvision, pillow, cuda and the like. */
  readonly versions: Readonly<Record<string, string>>;
  readonly device: string;
  readonly deviceName: string;
  /** Why this device was chosen. */
  readonly deviceReason: string;
  /** PyTorch's CPU threads. */
  readonly threads: number;
  /** Why so many: `asked for`, the environment variable that says so, `PyTorch's own choice` and the like. */
  readonly threadsReason: string;
  readonly precision: string;
  /** What crosses to the worker: what was asked for, or what suits the device. */
  readonly handoff: Handoff;
  readonly model: string;
  readonly weights: {
    readonly name: string;
    readonly path: string;
    readonly sha256: string;
    /** False for `untrained:SEED`: its answers mean nothing. Null for a custom file, of which nobody knows. */
    readonly trained: boolean | null;
    readonly transforms: TransformsName;
  };
  readonly spec: WireSpec;
  /** Pictures that a worker takes at once at most. */
  readonly maxBatch: number;
  /** Classes of the network. */
  readonly classes: number;
  readonly warmupMs: number;
  /** Which kinds of pictures and steps Node does, byte for byte as this environment does them, and which it leaves to it. */
  readonly attestation: AttestedEnvironment;
  /** Each worker; what is said above is said of the first. */
  readonly workers: readonly WorkerPlace[];
  /** With `remote`: which servers answer, and how the percentages come about. What nobody said is `unknown` above. */
  readonly remote?: RemoteInfo;
}

/** What was compared, and what the environment itself made of each kind and step: digests, 16 hex digits. */
export interface AttestedEnvironment extends Attestation {
  readonly digests: Digests;
}

/** What is known of remote servers. */
export interface RemoteInfo {
  readonly urls: readonly string[];
  /** What the server says of itself: `isotorch`, `triton` and the like. */
  readonly server: { readonly name: string; readonly version: string };
  /** Names of its inputs and outputs, by what they hold. */
  readonly inputs: Readonly<Record<string, string>>;
  readonly outputs: Readonly<Record<string, string>>;
  /** `torch`: the bits of an isotorch server's softmax; `server`: a softmax of its own; `node`: float32 softmax computed here from its logits. */
  readonly percentages: "torch" | "server" | "node";
  /** Whose class names are shown: the server's, or those of this package. */
  readonly labels: "server" | "package";
}

/** Where one of the workers computes. */
export interface WorkerPlace {
  readonly pid: number;
  readonly device: string;
  readonly deviceName: string;
  readonly threads: number;
}

/** Supervised workers and what is known of them. */
export interface StartedWorkers {
  readonly pool: Pool;
  /** What runs now; another process after a restart. */
  readonly info: () => Omit<WorkerInfo, "attestation">;
}

/** @throws IsotorchError what is missing or wrong, with how to mend it. */
export async function startWorkers(
  options: WorkerOptions,
  onPhase: (phase: Phase) => void,
): Promise<StartedWorkers> {
  const environment = await findEnvironment(options);
  try {
    return await startIn(environment, options, onPhase);
  } catch (error) {
    const isBroken = error instanceof IsotorchError && error.code === "ENVIRONMENT_BROKEN";
    if (!isBroken || !environment.recalled) throw error;
    // What it said before may no longer be true; it is asked once more, and what it says now decides.
    await forgetEnvironment(environment);
    const asked = await findEnvironment(options);
    if (isDeepStrictEqual({ ...asked, recalled: true }, environment)) throw error;
    return startIn(asked, options, onPhase);
  }
}

async function startIn(
  environment: Environment,
  options: WorkerOptions,
  onPhase: (phase: Phase) => void,
): Promise<StartedWorkers> {
  const { signal, logger, onProgress } = options;
  const checkpoint = await resolveCheckpoint(options.weights, options);
  const { maxSize = 0, maxDelayMs = 0 } = options.batch ?? {};
  const policy: SupervisionPolicy = {
    ...DEFAULT_POLICY,
    ...options.supervision,
    ...options.queue,
    batchSize: maxSize,
    batchDelayMs: maxDelayMs,
  };
  const at = ({ device, threads }: Placement): Start => ({
    policy,
    signal,
    start: ({ generation, signal: ended, onProgress: onStep, onExit }) =>
      startWorker({
        command: commandFor(environment, "--ahead"),
        generation,
        signal: ended,
        onExit,
        load: {
          task: "image-classification",
          model: options.model,
          checkpoint: checkpoint.path,
          sha256: checkpoint.sha256,
          trust: checkpoint.trust,
          seed: checkpoint.seed,
          transforms: checkpoint.transforms,
          device,
          precision: options.precision,
          threads,
          maxBatch: maxSize,
        },
        timeouts: policy,
        onProgress: (name, fraction) => {
          onStep();
          onProgress?.({ status: "worker", name, ...(fraction !== null && { progress: fraction * 100 }) });
        },
        onLog: (level, message) => {
          if (level === "warning") logger?.warn(message);
          else if (level === "error") logger?.error(message);
          else logger?.[level === "debug" ? "debug" : "info"](message);
        },
      }),
  });
  const facts = { cpus: usableCpus(), said: saysThreads({ ...process.env, ...environment.variables }) };
  const [first = { device: "auto", threads: 0 }] = placementsOf(options, facts);
  const others = ({ device }: WorkerReady): Start[] =>
    placementsOf(options, { ...facts, chosen: device })
      .slice(1)
      .map(at);
  const pool = await Pool.start(at(first), others, onPhase);
  await noteUsed(environment, surroundings(), options.logger);
  return { pool, info: () => describe(pool.members, environment, checkpoint, options) };
}

/** A worker without a network, for pictures that only Pillow reads as Pillow does. */
export async function startDecoder(options: EnvironmentOptions): Promise<Session> {
  const environment = await findEnvironment(options);
  const quiet = (): void => undefined;
  const session = await startWorker({
    command: commandFor(environment),
    generation: 1,
    load: null,
    timeouts: DEFAULT_POLICY,
    onProgress: quiet,
    onLog: quiet,
  });
  await noteUsed(environment, surroundings());
  return session;
}

function commandFor({ python, variables }: Environment, ...flags: readonly string[]): WorkerStart["command"] {
  return { python, args: scriptArguments(WORKER_SCRIPT, "serve", ...flags), variables };
}

function describe(
  members: readonly WorkerReady[],
  environment: Environment,
  checkpoint: Checkpoint,
  { model, handoff, threads: wanted }: WorkerOptions,
): Omit<WorkerInfo, "attestation"> {
  const [ready] = members;
  if (ready === undefined) throw new IsotorchError("WORKER_ERROR", "No worker was ready yet.");
  const { hello, versions, device, deviceName, deviceReason, threads, threadsReason } = ready;
  const { precision, sha256, spec } = ready;
  return {
    package: hello.package,
    protocol: PROTOCOL_VERSION,
    pid: hello.pid,
    python: hello.python,
    executable: hello.executable,
    environment: environment.kind,
    environmentReason: environment.reason,
    versions,
    device,
    deviceName,
    deviceReason,
    threads,
    // Nobody asked for the count that several workers were given.
    threadsReason:
      wanted === 0 && threadsReason === "asked for"
        ? `its share of the CPUs, one of ${members.length} workers`
        : threadsReason,
    precision,
    // A GPU normalises faster than four times the bytes get there.
    handoff: handoff ?? (device.startsWith("cuda") ? "pixels" : "tensor"),
    model,
    weights: {
      name: checkpoint.weights,
      path: checkpoint.path,
      sha256,
      trained: checkpoint.trained,
      transforms: checkpoint.transforms,
    },
    spec,
    maxBatch: ready.maxBatch,
    classes: ready.categories.length,
    warmupMs: ready.warmupMs,
    workers: members.map((member) => ({
      pid: member.hello.pid,
      device: member.device,
      deviceName: member.deviceName,
      threads: member.threads,
    })),
  };
}
