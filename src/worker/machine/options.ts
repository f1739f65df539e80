/** What workers are started with. */
import type { Logger } from "../../base/logger.ts";
import type { ProgressEvent } from "../../base/progress.ts";
import type { Fields } from "../../protocol/messages.ts";
import type { EnvironmentOptions } from "../../python/environment.ts";
import type { PlacementOptions } from "./placement.ts";
import type { SupervisionPolicy } from "../supervision/policy.ts";

/** What belongs to the machine, whatever is loaded. */
export interface WorkerOptions extends EnvironmentOptions, PlacementOptions {
  readonly batch?: { readonly maxSize?: number; readonly maxDelayMs?: number };
  readonly queue?: Partial<Pick<SupervisionPolicy, "maxRequests" | "maxBytes">>;
  readonly supervision?: Partial<SupervisionPolicy>;
  readonly logger?: Logger;
  readonly onProgress?: (event: ProgressEvent) => void;
  /** Aborts the start. */
  readonly signal?: AbortSignal;
}

/** What of a `load` belongs to the network. */
export type NetworkLoad = Omit<Fields<"load">, "device" | "threads" | "maxBatch">;
