/** `GET /metrics` for Prometheus. */
import type { FastifyInstance } from "fastify";
import type { Parts } from "../server.ts";

export function metricsRoutes(app: FastifyInstance, { metrics }: Parts): void {
  app.get("/metrics", (_, reply) =>
    reply.type("text/plain; version=0.0.4; charset=utf-8").send(metrics.render()),
  );
}
