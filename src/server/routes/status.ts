/** `GET /status`: what runs and how it is, without paths of this machine. */
import { PACKAGE_VERSION } from "../../base/version.ts";
import { json } from "../http/answer.ts";
import type { ServedModel } from "../models.ts";
import type { Parts, Routes } from "../parts.ts";

export function statusRoutes(app: Routes, parts: Parts): void {
  app.onGet("/status", ({ query }) => json(statusOf(parts, parts.models.of(query))));
}

/** Of one of the networks. */
export function statusOf({ admission, models }: Parts, { name, classifier, comparer }: ServedModel): object {
  const { phase, ready, starts, recentExits, waiting, inFlight, lastFailure } = classifier.health();
  const { submitted, succeeded, failed, redelivered } = classifier.stats();
  const info = classifier.info();
  const { device, deviceName, threads, threadsReason, precision, model, versions, weights, spec } = info;
  return {
    version: PACKAGE_VERSION,
    ready: ready && !admission.isClosed,
    draining: admission.isClosed,
    model: name,
    models: models.names,
    worker: { phase, ready, starts, recentExits, waiting, inFlight, lastFailure: lastFailure?.code ?? null },
    calls: { submitted, succeeded, failed, redelivered },
    network: {
      model,
      weights: weights.name?.split(/[/\\]/).at(-1), // the name of a custom file, not where it lies
      sha256: weights.sha256,
      trained: weights.trained,
      device,
      deviceName,
      threads,
      threadsReason,
      precision,
      versions,
      resize: spec.resize,
      crop: spec.crop,
    },
    compare: comparer !== undefined && info.environment !== "remote",
  };
}
