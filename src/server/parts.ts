import type { Comparer } from "./compare/comparer.ts";
import type { Route } from "./http/request.ts";
import type { Metrics } from "./metrics/metrics.ts";
import type { Statistics } from "./oip/statistics.ts";
import type { ResolvedServerOptions } from "./options.ts";
import type { Pictures } from "./picture.ts";
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
  readonly pictures: Pictures;
  readonly comparer: Comparer | undefined;
  readonly admission: Admission;
  readonly metrics: Metrics;
  readonly statistics: Statistics;
}
