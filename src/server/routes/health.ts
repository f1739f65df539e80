/** Probes that tell the truth: `ready` is what the supervisor knows at this moment. */
import { json } from "../http/answer.ts";
import { MODEL, checkModel } from "../oip/metadata.ts";
import type { Parts, Routes } from "../parts.ts";

export function healthRoutes(app: Routes, { options, admission }: Parts): void {
  const isReady = (): boolean => options.classifier.health().ready && !admission.isClosed;
  app.onGet("/v2/health/live", () => json({ live: true }));
  app.onGet("/v2/health/ready", () => {
    const ready = isReady();
    return json({ live: true, ready }, ready ? 200 : 503);
  });
  const paths = ["/v2/models/:model/ready", "/v2/models/:model/versions/:version/ready"];
  for (const path of paths) {
    app.onGet(path, ({ params }) => {
      checkModel(params);
      const ready = isReady();
      return json({ name: MODEL, ready }, ready ? 200 : 503);
    });
  }
}
