/** The Open Inference Protocol's addresses but for health. */
import { setMaxListeners } from "node:events";
import { parseRecord } from "../../base/files/json.ts";
import { cropSize } from "../../image/resample/geometry.ts";
import { pixelsToTensor } from "../../image/tensor.ts";
import { JSON_TYPE, json, typed } from "../http/answer.ts";
import type { Answer, HttpRequest } from "../http/request.ts";
import { AS_STORED } from "../picture.ts";
import type { Answered, Asked } from "../picture.ts";
import { mediaTypeProblem, tell } from "../problem.ts";
import { callOf } from "../request/call.ts";
import { isForm } from "../request/form.ts";
import { holdRoom } from "../request/receive.ts";
import { admit, bytesOf } from "../routes/body.ts";
import type { Metrics } from "../metrics/metrics.ts";
import type { ServedModel } from "../models.ts";
import type { Parts, Routes } from "../parts.ts";
import { modelConfig } from "./config.ts";
import { MAX_BATCH, VERSION, modelMetadata, modelOf, serverMetadata } from "./metadata.ts";
import { jsonTooLarge, parseInferRequest } from "./request.ts";
import type { InferRequest } from "./request.ts";
import { inferResponse } from "./response.ts";
import type { InputTensor } from "./tensors.ts";

/** Of a body with binary data at least: a full batch of float32, of 224 pixels a side, has 18.4 MiB. */
const BINARY_BYTES = 32 * 1024 * 1024;
/** Of the JSON before it. */
const JSON_BYTES = 64 * 1024;
const JSON_LENGTH = "inference-header-content-length";

export function inferRoutes(app: Routes, parts: Parts): void {
  const { models } = parts;
  const { jsonBytes } = parts.options.limits;
  const room = admit(parts.admission, ({ headers, params }) =>
    JSON_LENGTH in headers
      ? { limit: binaryBytes(models.at(params), parts) }
      : { limit: jsonBytes, tooLarge: () => jsonTooLarge(jsonBytes) },
  );
  const admitted = (request: HttpRequest): void => {
    nameBody(request);
    room(request);
  };
  const statistics = (of: readonly ServedModel[]): Answer =>
    json({ model_stats: of.map((model) => model.statistics.read(model.classifier.stats().batches)) });
  app.onGet("/v2", () => json(serverMetadata()));
  // KServe's list, and Triton's, which says of each whether it is ready.
  app.onGet("/v2/models", () => json({ models: models.names }));
  app.onPost("/v2/repository/index", admitted, ({ body }) => json(indexOf(models.all, body)));
  app.onGet("/v2/models/stats", () => statistics(models.all));
  for (const path of ["/v2/models/:model", "/v2/models/:model/versions/:version"]) {
    app.onGet(path, (request) => {
      const { name, classifier } = models.at(request.params);
      const info = classifier.info();
      return json(modelMetadata(modelOf(name, info), info));
    });
    app.onGet(`${path}/config`, (request) => {
      const { name, classifier } = models.at(request.params);
      return json(modelConfig(modelOf(name, classifier.info())));
    });
    app.onGet(`${path}/stats`, (request) => statistics([models.at(request.params)]));
    app.onPost(`${path}/infer`, admitted, (request) => {
      const model = models.at(request.params);
      return model.statistics.request(inferred(request, model, parts));
    });
  }
}

/** A full batch fits, as far as all bodies together may have so much. */
function binaryBytes({ classifier }: ServedModel, { options }: Parts): number {
  const { width, height } = cropSize(classifier.info().spec);
  const batch = MAX_BATCH * 3 * width * height * 4 + JSON_BYTES;
  return Math.min(options.limits.maxBytes, Math.max(BINARY_BYTES, batch));
}

/** Triton's model repository index; with `{"ready": true}` of those alone that are. */
function indexOf(models: readonly ServedModel[], body: Buffer | undefined): object[] {
  const isReadyOnly = parseRecord(body?.toString() ?? "")["ready"] === true;
  return models.flatMap(({ name, classifier }) => {
    const isReady = classifier.health().ready;
    if (isReadyOnly && !isReady) return [];
    return [{ name, version: VERSION, state: isReady ? "READY" : "UNAVAILABLE", reason: "" }];
  });
}

async function inferred(request: HttpRequest, served: ServedModel, parts: Parts): Promise<Answer> {
  const { limits } = parts.options;
  const model = modelOf(served.name, served.classifier.info());
  const jsonBytes = request.headers[JSON_LENGTH]?.toString();
  const parsing = parseInferRequest(bytesOf(request), jsonBytes, model, limits.jsonBytes);
  holdRoom(request, parsing);
  const infer = await parsing;
  const response = inferResponse(infer, await answer(request, infer, served, parts), model.name);
  if (response.jsonBytes === undefined) return typed(JSON_TYPE, response.body);
  return typed("application/octet-stream", response.body, { [JSON_LENGTH]: response.jsonBytes });
}

/**
 * Triton's own client sends no content type. Where a header is there that a foreign page cannot send without asking
 * first, the body may go without one.
 */
function nameBody(request: HttpRequest): void {
  const { headers } = request;
  if (isForm(request)) throw mediaTypeProblem();
  const isAsked = "authorization" in headers || JSON_LENGTH in headers;
  if (headers["content-type"] === undefined && isAsked) headers["content-type"] = "application/octet-stream";
}

/** The items side by side, the answers in their order. The first failure ends the others. */
async function answer(
  request: HttpRequest,
  { input, outputs, activation, timeoutMs }: InferRequest,
  model: ServedModel,
  { metrics }: Parts,
) {
  const call = callOf(request);
  const others = new AbortController();
  const deadline = performance.now() + (timeoutMs ?? Number.POSITIVE_INFINITY);
  const wants = (name: string): boolean => outputs.some((output) => output.name === name);
  const isWhole = outputs.some(({ name, classes }) => name === "indices" && classes === undefined);
  const signal = AbortSignal.any([call.signal, others.signal]);
  setMaxListeners(0, signal); // each picture of a batch has a few
  const asked: Asked = {
    topK: isWhole ? 0 : Math.max(1, ...outputs.map(({ classes = 1 }) => classes)),
    include: {
      logits: wants("logits"),
      probabilities: wants("probabilities"),
      embedding: wants("embedding"),
    },
    activation,
    threshold: 0,
    signal,
    holds: (work) => holdRoom(request, work),
    remainingMs: () => Math.max(1, Math.min(call.remainingMs(), Math.ceil(deadline - performance.now()))),
  };
  try {
    return await Promise.all(
      items(input, asked, model).map(async (work) => {
        const { result, timings } = await counted(work, model.name, metrics);
        metrics.picture(model.name, "ok", timings);
        model.statistics.picture(timings);
        return result;
      }),
    );
  } catch (error) {
    others.abort(error);
    throw error;
  }
}

async function counted(work: Promise<Answered>, model: string, metrics: Metrics): Promise<Answered> {
  try {
    return await work;
  } catch (error) {
    metrics.picture(model, tell(error).code);
    throw error;
  }
}

function items(input: InputTensor, asked: Asked, { pictures, classifier }: ServedModel): Promise<Answered>[] {
  switch (input.name) {
    case "image":
      return input.items.map((bytes) => pictures.encoded(bytes, AS_STORED, asked));
    case "input":
      return input.items.map((data) => pictures.tensor({ data, shape: input.shape }, asked));
    case "pixels": {
      const { spec } = classifier.info();
      const [height = 0, width = 0] = input.shape;
      return input.items.map((data) => pictures.tensor(pixelsToTensor({ data, width, height }, spec), asked));
    }
  }
}
