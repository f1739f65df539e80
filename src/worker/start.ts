/** From resolved options to a worker that is ready: environment, checkpoint, session. */
import { isDeepStrictEqual } from "node:util";
import { IsotorchError } from "../base/errors.ts";
import { networkLoad } from "./options.ts";
import type { WorkerOptions } from "./options.ts";
import { resolveCheckpoint } from "../checkpoints/resolve.ts";
import { findEnvironment, forgetEnvironment } from "../python/environment.ts";
import type { Environment, EnvironmentOptions } from "../python/environment.ts";
import { describe } from "./info.ts";
import type { WorkerInfo } from "./info.ts";
import { placementsOf, saysThreads } from "./placement.ts";
import type { Placement } from "./placement.ts";
import { Pool } from "./pool.ts";
import type { Start } from "./pool.ts";
import { usableCpus } from "../python/quota.ts";
import { scriptArguments, WORKER_SCRIPT } from "../python/script.ts";
import { DEFAULT_POLICY, patientWith } from "./supervision/policy.ts";
import type { SupervisionPolicy } from "./supervision/policy.ts";
import { startWorker } from "./open.ts";
import type { WorkerStart } from "./open.ts";
import type { Phase } from "../backend.ts";
import { surroundings } from "../python/surroundings.ts";
import { noteUsed } from "../python/used.ts";
import type { WorkerReady } from "./ready.ts";
import type { Session } from "./session.ts";

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
    ...patientWith(options.model),
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
        command: commandFor(environment, "--background-import"),
        generation,
        signal: ended,
        onExit,
        load: {
          ...networkLoad(checkpoint, options),
          device,
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
