/** What workers are started with: a part of what a classifier is asked for, its defaults filled in. */
import type { Logger } from "../base/logger.ts";
import type { CheckpointOptions } from "../checkpoints/resolve.ts";
import type { Handoff, Precision } from "../protocol/messages.ts";
import type { EnvironmentOptions } from "../python/environment.ts";
import type { PlacementOptions } from "./placement.ts";
import type { SupervisionPolicy } from "./supervision/policy.ts";

export interface WorkerOptions extends CheckpointOptions, EnvironmentOptions, PlacementOptions {
  readonly weights: string;
  readonly model: string;
  readonly precision: Precision;
  readonly handoff?: Handoff;
  readonly batch?: { readonly maxSize?: number; readonly maxDelayMs?: number };
  readonly queue?: Partial<Pick<SupervisionPolicy, "maxRequests" | "maxBytes">>;
  readonly supervision?: Partial<SupervisionPolicy>;
  readonly logger?: Logger;
}
