/** Probes that tell the truth: `ready` is what the supervisor knows at this moment. */
import type { FastifyInstance } from "fastify";
import { MODEL, checkModel } from "../oip/metadata.ts";
import type { Parts } from "../server.ts";

export function healthRoutes(app: FastifyInstance, { options, admission }: Parts): void {
  const isReady = (): boolean => options.classifier.health().ready && !admission.isClosed;
  app.get("/v2/health/live", () => ({ live: true }));
  app.get("/v2/health/ready", (_, reply) => {
    const ready = isReady();
    return reply.code(ready ? 200 : 503).send({ live: true, ready });
  });
  const paths = ["/v2/models/:model/ready", "/v2/models/:model/versions/:version/ready"];
  for (const path of paths) {
    app.get(path, (request, reply) => {
      checkModel(request.params);
      const ready = isReady();
      return reply.code(ready ? 200 : 503).send({ name: MODEL, ready });
    });
  }
}
