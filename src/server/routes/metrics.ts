/** `GET /metrics` for Prometheus. */
import { typed } from "../http/answer.ts";
import type { Parts, Routes } from "../parts.ts";

export function metricsRoutes(app: Routes, { metrics }: Parts): void {
  app.onGet("/metrics", () => typed("text/plain; version=0.0.4; charset=utf-8", metrics.render()));
}
