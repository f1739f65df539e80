/** From a classifier's options to workers that are ready: which checkpoint they load, and what they say of it. */
import type { Backend, ClassifierNetwork, Phase } from "../backend.ts";
import { type Checkpoint, type CheckpointOptions, resolveCheckpoint } from "../checkpoints/resolve.ts";
import type { Handoff, Precision } from "../protocol/messages.ts";
import { asPictureNetwork } from "../tasks/network.ts";
import type { NetworkLoad, WorkerOptions } from "../worker/machine/options.ts";
import { startWorkers } from "../worker/start.ts";
import { patientWith } from "../worker/supervision/policy.ts";
import { type WorkerInfo, describe } from "./info.ts";

/** What of a classifier's options its workers are started with, its defaults filled in. */
export interface ClassifierStart extends WorkerOptions, CheckpointOptions {
  readonly weights: string;
  /** The one that the checkpoint is of, where it is not told. */
  readonly model?: string;
  readonly checkpointKey?: string;
  readonly precision: Precision;
  readonly handoff?: Handoff;
  readonly logger?: NonNullable<WorkerOptions["logger"]>;
}

/** Supervised workers and what is known of them. */
export interface StartedClassifier {
  readonly pool: Backend;
  /** What runs now; another process after a restart. */
  readonly info: () => Omit<WorkerInfo, "attestation">;
  readonly network: () => ClassifierNetwork;
}

/** @throws IsotorchError what is missing or wrong, with how to mend it. */
export async function startClassifier(
  options: ClassifierStart,
  onPhase: (phase: Phase) => void,
): Promise<StartedClassifier> {
  const { pool, environment, planned } = await startWorkers(
    options,
    async () => {
      const checkpoint = await resolveCheckpoint(options.weights, options);
      return { load: networkLoad(checkpoint, options), policy: patientWith(options.model), checkpoint };
    },
    onPhase,
  );
  return {
    pool,
    info: () => describe(pool.members, environment, planned.checkpoint, options),
    network: () => {
      const { spec, categories, models } = asPictureNetwork(pool.ready.network);
      const digests = pool.members.map(({ network }) => asPictureNetwork(network).digests);
      return { spec, categories, models, attestedBy: "worker", digests };
    },
  };
}

/** @param checkpoint as it was resolved for `options`. */
export function networkLoad(
  { path, sha256, seed, transforms }: Checkpoint,
  { model, checkpointKey, precision, transforms: given }: ClassifierStart,
): NetworkLoad {
  return {
    task: "image-classification",
    model: model ?? null,
    checkpoint: path,
    checkpointKey: checkpointKey ?? null,
    sha256,
    seed,
    network: { transforms, spec: typeof given === "object" ? given : null },
    precision,
  };
}
