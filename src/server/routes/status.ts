/** `GET /status`: what runs and how it is, without paths of this machine. */
import { PACKAGE_VERSION } from "../../base/version.ts";
import type { Classifier } from "../../classification/classifier.ts";
import type { TextGenerator } from "../../generation/generator.ts";
import { MOST_INSPECTED } from "../completions/looking.ts";
import { json } from "../http/answer.ts";
import type { ServedModel } from "../models.ts";
import type { Parts, Routes } from "../parts.ts";

export function statusRoutes(app: Routes, parts: Parts): void {
  app.onGet("/status", ({ query }) => json(statusOf(parts, watchedOf(parts, query))));
}

/** The network of a query; undefined where the server has texts alone. */
export function watchedOf(
  { models, options }: Parts,
  query: Readonly<Record<string, unknown>>,
): ServedModel | undefined {
  const hasTextsAlone = models.all.length === 0 && Object.keys(options.generators).length > 0;
  return hasTextsAlone && query["model"] === undefined ? undefined : models.of(query);
}

/** Of one of the networks, and of the generators. */
export function statusOf(parts: Parts, model: ServedModel | undefined): object {
  const { admission, models, options } = parts;
  return {
    version: PACKAGE_VERSION,
    draining: admission.isClosed,
    models: models.names,
    ...(model !== undefined && ofPictures(model, admission.isClosed)),
    texts: Object.entries(options.generators).map(([name, generator]) =>
      ofTexts(name, generator, admission.isClosed),
    ),
  };
}

function ofPictures({ name, classifier, comparer }: ServedModel, isClosed: boolean): object {
  const info = classifier.info();
  const { device, deviceName, threads, threadsReason, precision, model, versions, weights, spec } = info;
  return {
    ready: classifier.health().ready && !isClosed,
    model: name,
    ...lifeOf(classifier),
    network: {
      model,
      weights: fileNameOf(weights.name),
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

function ofTexts(name: string, generator: TextGenerator, isClosed: boolean): object {
  const { device, deviceName, threads, threadsReason, model, versions, weights, ...info } = generator.info();
  const { context, layers, heads, width, vocabulary } = info;
  return {
    ready: generator.health().ready && !isClosed,
    model: name,
    ...lifeOf(generator),
    network: {
      model,
      weights: fileNameOf(weights.name),
      sha256: weights.sha256,
      trained: weights.trained,
      device,
      deviceName,
      threads,
      threadsReason,
      versions,
      context,
      layers,
      heads,
      width,
      vocabulary,
    },
    inspect: MOST_INSPECTED,
  };
}

function lifeOf(one: Classifier | TextGenerator): object {
  const { phase, ready, starts, recentExits, waiting, inFlight, lastFailure } = one.health();
  const { submitted, succeeded, failed, redelivered } = one.stats();
  return {
    worker: { phase, ready, starts, recentExits, waiting, inFlight, lastFailure: lastFailure?.code ?? null },
    calls: { submitted, succeeded, failed, redelivered },
  };
}

/** The name of a custom file, not where it lies. */
function fileNameOf(name: string | undefined): string | undefined {
  return name?.split(/[/\\]/).at(-1);
}
