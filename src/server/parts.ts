import type { Route } from "./http/request.ts";
import type { Metrics } from "./metrics/metrics.ts";
import type { Models } from "./models.ts";
import type { ResolvedServerOptions } from "./options.ts";
import type { Admission } from "./request/admission.ts";

/** Where routes are added. */
export interface Routes {
  onGet(path: string, handler: Route["handler"]): void;
  /** With a body. @param admit runs before it is taken. */
  onPost(path: string, admit: NonNullable<Route["admit"]>, handler: Route["handler"]): void;
  /** Calls `end` before the last connections are cut. */
  onClose(end: () => void): void;
}

/** What the routes work with. */
export interface Parts {
  readonly options: ResolvedServerOptions;
  readonly models: Models;
  readonly admission: Admission;
  readonly metrics: Metrics;
}
