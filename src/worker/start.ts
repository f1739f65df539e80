/** From resolved options to workers that are ready: environment, what they load, sessions. */
import { isDeepStrictEqual } from "node:util";
import { IsotorchError } from "../base/errors.ts";
import type { NetworkLoad, WorkerOptions } from "./machine/options.ts";
import { findEnvironment, forgetEnvironment } from "../python/environment.ts";
import type { Environment, EnvironmentOptions } from "../python/environment.ts";
import { placementsOf, saysThreads } from "./machine/placement.ts";
import type { Placement } from "./machine/placement.ts";
import { Pool } from "./pool.ts";
import type { Start } from "./pool.ts";
import { usableCpus } from "../python/quota.ts";
import { scriptArguments, WORKER_SCRIPT } from "../python/script.ts";
import { DEFAULT_POLICY } from "./supervision/policy.ts";
import type { SupervisionPolicy } from "./supervision/policy.ts";
import { startWorker } from "./open.ts";
import type { WorkerStart } from "./open.ts";
import type { Phase } from "../backend.ts";
import { surroundings } from "../python/surroundings.ts";
import { noteUsed } from "../python/used.ts";
import type { WorkerReady } from "./ready.ts";
import type { Session } from "./session.ts";

/** What workers load, and how they are watched with it. */
export interface Plan {
  readonly load: NetworkLoad;
  readonly policy: SupervisionPolicy;
}

/** Supervised workers, and where they run. */
export interface StartedWorkers<P extends Plan> {
  readonly pool: Pool;
  readonly environment: Environment;
  readonly planned: P;
}

/**
 * @param plan is asked once the environment is known: what is to be loaded may have to be downloaded first.
 * @throws IsotorchError what is missing or wrong, with how to mend it.
 */
export async function startWorkers<P extends Plan>(
  options: WorkerOptions,
  plan: () => Promise<P>,
  onPhase: (phase: Phase) => void,
): Promise<StartedWorkers<P>> {
  const environment = await findEnvironment(options);
  try {
    return await startIn(environment, options, plan, onPhase);
  } catch (error) {
    const isBroken = error instanceof IsotorchError && error.code === "ENVIRONMENT_BROKEN";
    if (!isBroken || !environment.recalled) throw error;
    // What it said before may no longer be true; it is asked once more, and what it says now decides.
    await forgetEnvironment(environment);
    const asked = await findEnvironment(options);
    if (isDeepStrictEqual({ ...asked, recalled: true }, environment)) throw error;
    return startIn(asked, options, plan, onPhase);
  }
}

async function startIn<P extends Plan>(
  environment: Environment,
  options: WorkerOptions,
  plan: () => Promise<P>,
  onPhase: (phase: Phase) => void,
): Promise<StartedWorkers<P>> {
  const { signal, logger, onProgress } = options;
  const planned = await plan();
  const { maxSize = 0, maxDelayMs = 0 } = options.batch ?? {};
  const policy: SupervisionPolicy = {
    ...planned.policy,
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
        load: { ...planned.load, device, threads, maxBatch: maxSize },
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
  return { pool, environment, planned };
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
