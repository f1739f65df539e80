/** From resolved options to a worker that is ready: environment, checkpoint, session. */
import type { ProgressEvent, ResolvedClassifierOptions, TransformsName } from "../options.ts";
import { resolveCheckpoint } from "./checkpoint.ts";
import type { Checkpoint } from "./checkpoint.ts";
import { findEnvironment } from "./environment.ts";
import type { Environment, EnvironmentOptions } from "./environment.ts";
import { WORKER_SCRIPT } from "./process.ts";
import type { WireSpec } from "./schema.ts";
import { Session } from "./session.ts";
import type { SessionOptions } from "./session.ts";

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

export interface StartedWorker {
  readonly session: Session;
  readonly info: WorkerInfo;
}

/** Seconds from `faults.md`'s policy, in milliseconds. */
const TIMEOUTS = { helloMs: 60_000, readyMs: 120_000 };

/** @throws IsotorchError what is missing or wrong, with how to mend it. */
export async function startWorker(options: ResolvedClassifierOptions): Promise<StartedWorker> {
  const { signal, logger, onProgress } = options;
  const environment = await findEnvironment(options);
  const checkpoint = await resolveCheckpoint(options.weights, options);
  const session = await Session.start({
    command: commandFor(environment),
    generation: 1,
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
    },
    timeouts: TIMEOUTS,
    onProgress: (name, fraction) => {
      const event: ProgressEvent = {
        status: "worker",
        name,
        ...(fraction !== null && { progress: fraction * 100 }),
      };
      onProgress?.(event);
    },
    onLog: (level, message) => {
      if (level === "warning") logger?.warn(message);
      else if (level === "error") logger?.error(message);
      else logger?.[level === "debug" ? "debug" : "info"](message);
    },
    signal,
  });
  try {
    return { session, info: describe(session, environment, checkpoint, options.model) };
  } catch (error) {
    await session.kill();
    throw error;
  }
}

/** A worker without a network, for pictures that only Pillow reads as Pillow does. */
export async function startDecoder(options: EnvironmentOptions): Promise<Session> {
  const command = commandFor(await findEnvironment(options));
  const quiet = (): void => undefined;
  return Session.start({
    command,
    generation: 1,
    load: null,
    timeouts: TIMEOUTS,
    onProgress: quiet,
    onLog: quiet,
  });
}

function commandFor({ python, variables }: Environment): SessionOptions["command"] {
  return { python, args: ["-I", "-u", WORKER_SCRIPT, "serve"], variables };
}

function describe(
  session: Session,
  environment: Environment,
  checkpoint: Checkpoint,
  model: string,
): WorkerInfo {
  const { hello, versions, device, deviceName, deviceReason, threads, precision, sha256, spec, warmupMs } =
    session.ready;
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
