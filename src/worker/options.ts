/** What workers are started with: a part of what a classifier is asked for, its defaults filled in. */
import type { Logger } from "../base/logger.ts";
import type { Checkpoint, CheckpointOptions } from "../checkpoints/resolve.ts";
import type { Fields, Handoff, Precision } from "../protocol/messages.ts";
import type { EnvironmentOptions } from "../python/environment.ts";
import type { PlacementOptions } from "./placement.ts";
import type { SupervisionPolicy } from "./supervision/policy.ts";

export interface WorkerOptions extends CheckpointOptions, EnvironmentOptions, PlacementOptions {
  readonly weights: string;
  /** The one that the checkpoint is of, where it is not told. */
  readonly model?: string;
  readonly checkpointKey?: string;
  readonly precision: Precision;
  readonly handoff?: Handoff;
  readonly batch?: { readonly maxSize?: number; readonly maxDelayMs?: number };
  readonly queue?: Partial<Pick<SupervisionPolicy, "maxRequests" | "maxBytes">>;
  readonly supervision?: Partial<SupervisionPolicy>;
  readonly logger?: Logger;
}

/** What of a `load` belongs to the network rather than to the machine. */
export type NetworkLoad = Pick<
  Fields<"load">,
  "task" | "model" | "checkpoint" | "checkpointKey" | "sha256" | "seed" | "transforms" | "spec" | "precision"
>;

/** @param checkpoint as it was resolved for `options`. */
export function networkLoad(
  { path, sha256, seed, transforms }: Checkpoint,
  { model, checkpointKey, precision, transforms: given }: WorkerOptions,
): NetworkLoad {
  return {
    task: "image-classification",
    model: model ?? null,
    checkpoint: path,
    checkpointKey: checkpointKey ?? null,
    sha256,
    seed,
    transforms,
    spec: typeof given === "object" ? given : null,
    precision,
  };
}
