/** From resolved options to a worker that is ready: environment, checkpoint, session. */
import type { ResolvedClassifierOptions, TransformsName } from "../options.ts";
import { resolveCheckpoint } from "./checkpoint.ts";
import type { Checkpoint } from "./checkpoint.ts";
import { findEnvironment } from "./environment.ts";
import type { Environment, EnvironmentOptions } from "./environment.ts";
import { WORKER_SCRIPT } from "./script.ts";
import type { WireSpec } from "./schema.ts";
import { DEFAULT_POLICY } from "./policy.ts";
import type { SupervisionPolicy } from "./policy.ts";
import { Session } from "./session.ts";
import type { Phase } from "./supervise.ts";
import { Supervisor } from "./supervisor.ts";
import type { SessionOptions, WorkerReady } from "./session.ts";

/** What was chosen and what runs; every value was measured or answered, none assumed. */
export interface WorkerInfo {
  readonly package: string;
  readonly protocol: number;
  readonly pid: number;
  readonly python: string;
  readonly executable: string;
  /** How the environment was found. */
  readonly environment: Environment["kind"];
  /** torch, torchvision, pillow, cuda and the like. */
  readonly versions: Readonly<Record<string, string>>;
  readonly device: string;
  readonly deviceName: string;
  /** Why this device was chosen. */
  readonly deviceReason: string;
  readonly threads: number;
  readonly precision: string;
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
  readonly warmupMs: number;
}

export type { WireSpec as WorkerSpec } from "./schema.ts";

/** A supervised worker and what is known of it. */
export interface StartedWorker {
  readonly supervisor: Supervisor;
  /** What runs now; another process after a restart. */
  readonly info: () => WorkerInfo;
}

/** @throws IsotorchError what is missing or wrong, with how to mend it. */
export async function startWorker(
  options: ResolvedClassifierOptions,
  onPhase: (phase: Phase) => void,
): Promise<StartedWorker> {
  const { signal, logger, onProgress } = options;
  const environment = await findEnvironment(options);
  const checkpoint = await resolveCheckpoint(options.weights, options);
  const policy: SupervisionPolicy = { ...DEFAULT_POLICY, ...options.supervision, ...options.queue };
  const supervisor = await Supervisor.start({
    policy,
    onPhase,
    signal,
    session: (generation) => ({
      command: commandFor(environment, "--ahead"),
      generation,
      load: {
        model: options.model,
        checkpoint: checkpoint.path,
        sha256: checkpoint.sha256,
        trust: checkpoint.trust,
        seed: checkpoint.seed,
        transforms: checkpoint.transforms,
        device: options.device,
        precision: options.precision,
        threads: options.threads,
        maxBatch: 0,
      },
      timeouts: policy,
      onProgress: (name, fraction) =>
        onProgress?.({ status: "worker", name, ...(fraction !== null && { progress: fraction * 100 }) }),
      onLog: (level, message) => {
        if (level === "warning") logger?.warn(message);
        else if (level === "error") logger?.error(message);
        else logger?.[level === "debug" ? "debug" : "info"](message);
      },
    }),
  });
  return { supervisor, info: () => describe(supervisor.ready, environment, checkpoint, options.model) };
}

/** A worker without a network, for pictures that only Pillow reads as Pillow does. */
export async function startDecoder(options: EnvironmentOptions): Promise<Session> {
  const command = commandFor(await findEnvironment(options));
  const quiet = (): void => undefined;
  return Session.start({
    command,
    generation: 1,
    load: null,
    timeouts: DEFAULT_POLICY,
    onProgress: quiet,
    onLog: quiet,
  });
}

function commandFor(
  { python, variables }: Environment,
  ...flags: readonly string[]
): SessionOptions["command"] {
  return { python, args: ["-I", "-u", WORKER_SCRIPT, "serve", ...flags], variables };
}

function describe(
  ready: WorkerReady,
  environment: Environment,
  checkpoint: Checkpoint,
  model: string,
): WorkerInfo {
  const { hello, versions, device, deviceName, deviceReason, threads, precision, sha256, spec, warmupMs } =
    ready;
  return {
    package: hello.package,
    protocol: hello.protocol,
    pid: hello.pid,
    python: hello.python,
    executable: hello.executable,
    environment: environment.kind,
    versions,
    device,
    deviceName,
    deviceReason,
    threads,
    precision,
    model,
    weights: {
      name: checkpoint.weights,
      path: checkpoint.path,
      sha256,
      trained: checkpoint.trained,
      transforms: checkpoint.transforms,
    },
    spec,
    warmupMs,
  };
}
