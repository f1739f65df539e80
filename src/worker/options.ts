/** What workers are started with: a part of what a classifier is asked for, its defaults filled in. */
import type { Logger } from "../base/logger.ts";
import type { CheckpointOptions } from "../checkpoints/resolve.ts";
import type { Handoff, Precision } from "../protocol/messages.ts";
import type { EnvironmentOptions } from "../python/environment.ts";
import type { PlacementOptions } from "./placement.ts";
import type { SupervisionPolicy } from "./supervision/policy.ts";

/** Progress of a download, with the field names of transformers.js, or of the worker's start. */
export interface ProgressEvent {
  readonly status: "initiate" | "download" | "progress" | "done" | "ready" | "worker";
  /** The weights' name, or the phase of the worker's start. */
  readonly name: string;
  readonly file?: string;
  /** 0 to 100. */
  readonly progress?: number;
  /** Bytes. */
  readonly loaded?: number;
  readonly total?: number;
}

export interface WorkerOptions
  extends Omit<CheckpointOptions, "onProgress">, EnvironmentOptions, PlacementOptions {
  readonly weights: string;
  readonly model: string;
  readonly precision: Precision;
  readonly handoff?: Handoff;
  readonly batch?: { readonly maxSize?: number; readonly maxDelayMs?: number };
  readonly queue?: Partial<Pick<SupervisionPolicy, "maxRequests" | "maxBytes">>;
  readonly supervision?: Partial<SupervisionPolicy>;
  readonly logger?: Logger;
  readonly onProgress?: (event: ProgressEvent) => void;
}
