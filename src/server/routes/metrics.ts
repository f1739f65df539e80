/** `GET /metrics` for Prometheus. */
import type { App } from "../app.ts";
import { typed } from "../http/answer.ts";
import type { Parts } from "../server.ts";

export function metricsRoutes(app: App, { metrics }: Parts): void {
  app.onGet("/metrics", () => typed("text/plain; version=0.0.4; charset=utf-8", metrics.render()));
}
