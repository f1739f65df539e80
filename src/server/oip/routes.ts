/** The Open Inference Protocol's addresses but for health. */
import { setMaxListeners } from "node:events";
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
import type { Parts, Routes } from "../parts.ts";
import { modelConfig } from "./config.ts";
import { checkModel, modelMetadata, serverMetadata } from "./metadata.ts";
import { jsonTooLarge, parseInferRequest } from "./request.ts";
import type { InferRequest } from "./request.ts";
import { inferResponse } from "./response.ts";
import type { InputTensor } from "./tensors.ts";

/** Of a body with binary data: a full batch of float32 has 18.4 MiB. */
const BINARY_BYTES = 32 * 1024 * 1024;
const JSON_LENGTH = "inference-header-content-length";

export function inferRoutes(app: Routes, parts: Parts): void {
  const { jsonBytes } = parts.options.limits;
  const room = admit(parts.admission, ({ headers }) =>
    JSON_LENGTH in headers
      ? { limit: BINARY_BYTES }
      : { limit: jsonBytes, tooLarge: () => jsonTooLarge(jsonBytes) },
  );
  const admitted = (request: HttpRequest): void => {
    nameBody(request);
    room(request);
  };
  const statistics = (): Answer => json(parts.statistics.read(parts.options.classifier.stats().batches));
  app.onGet("/v2", () => json(serverMetadata()));
  app.onGet("/v2/models/stats", statistics);
  for (const path of ["/v2/models/:model", "/v2/models/:model/versions/:version"]) {
    app.onGet(path, (request) => {
      checkModel(request.params);
      const { spec, attestation } = parts.options.classifier.info();
      return json(modelMetadata(spec, attestation.digests));
    });
    app.onGet(`${path}/config`, (request) => {
      checkModel(request.params);
      return json(modelConfig(parts.options.classifier.info().spec));
    });
    app.onGet(`${path}/stats`, (request) => {
      checkModel(request.params);
      return statistics();
    });
    app.onPost(`${path}/infer`, admitted, (request) => {
      checkModel(request.params);
      return parts.statistics.request(inferred(request, parts));
    });
  }
}

async function inferred(request: HttpRequest, parts: Parts): Promise<Answer> {
  const { classifier, limits } = parts.options;
  const jsonBytes = request.headers[JSON_LENGTH]?.toString();
  const parsing = parseInferRequest(bytesOf(request), jsonBytes, classifier.info().spec, limits.jsonBytes);
  holdRoom(request, parsing);
  const infer = await parsing;
  const response = inferResponse(infer, await answer(request, infer, parts));
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
async function answer(request: HttpRequest, { input, outputs, timeoutMs }: InferRequest, parts: Parts) {
  const call = callOf(request);
  const others = new AbortController();
  const deadline = performance.now() + (timeoutMs ?? Number.POSITIVE_INFINITY);
  const wants = (name: string): boolean => outputs.some((output) => output.name === name);
  const isWhole = outputs.some(({ name, classes }) => name === "indices" && classes === undefined);
  const signal = AbortSignal.any([call.signal, others.signal]);
  setMaxListeners(0, signal); // each picture of a batch has a few
  const asked: Asked = {
    topK: isWhole ? 0 : Math.max(1, ...outputs.map(({ classes = 1 }) => classes)),
    include: { logits: wants("logits"), probabilities: wants("probabilities") },
    signal,
    holds: (work) => holdRoom(request, work),
    remainingMs: () => Math.max(1, Math.min(call.remainingMs(), Math.ceil(deadline - performance.now()))),
  };
  try {
    return await Promise.all(
      items(input, asked, parts).map(async (work) => {
        const { result, timings } = await counted(work, parts);
        parts.metrics.picture("ok", timings);
        parts.statistics.picture(timings);
        return result;
      }),
    );
  } catch (error) {
    others.abort(error);
    throw error;
  }
}

async function counted(work: Promise<Answered>, { metrics }: Parts): Promise<Answered> {
  try {
    return await work;
  } catch (error) {
    metrics.picture(tell(error).code);
    throw error;
  }
}

function items(input: InputTensor, asked: Asked, { pictures, options }: Parts): Promise<Answered>[] {
  switch (input.name) {
    case "image":
      return input.items.map((bytes) => pictures.encoded(bytes, AS_STORED, asked));
    case "input":
      return input.items.map((data) => pictures.tensor({ data, shape: input.shape }, asked));
    case "pixels": {
      const { spec } = options.classifier.info();
      const [height = 0, width = 0] = input.shape;
      return input.items.map((data) => pictures.tensor(pixelsToTensor({ data, width, height }, spec), asked));
    }
  }
}
