/** Probes that tell the truth: `ready` is what the supervisors know at this moment. */
import { json } from "../http/answer.ts";
import type { Parts, Routes } from "../parts.ts";

export function healthRoutes(app: Routes, { models, admission }: Parts): void {
  app.onGet("/v2/health/live", () => json({ live: true }));
  app.onGet("/v2/health/ready", () => {
    const ready = models.isReady && !admission.isClosed;
    return json({ live: true, ready }, ready ? 200 : 503);
  });
  const paths = ["/v2/models/:model/ready", "/v2/models/:model/versions/:version/ready"];
  for (const path of paths) {
    app.onGet(path, ({ params }) => {
      const { name, classifier } = models.at(params);
      const ready = classifier.health().ready && !admission.isClosed;
      return json({ name, ready }, ready ? 200 : 503);
    });
  }
}
