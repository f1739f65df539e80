/** The Open Inference Protocol's addresses but for health. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { pixelsToTensor } from "../../image/tensor.ts";
import { AS_STORED } from "../picture.ts";
import type { Answered, Asked } from "../picture.ts";
import { tell } from "../problem.ts";
import { callOf } from "../request/call.ts";
import { admit, bytesOf } from "../routes/body.ts";
import type { Parts } from "../server.ts";
import { checkModel, modelMetadata, serverMetadata } from "./metadata.ts";
import { parseInferRequest } from "./request.ts";
import type { InferRequest } from "./request.ts";
import { inferResponse } from "./response.ts";
import type { InputTensor } from "./tensors.ts";

const MAX_BODY_BYTES = 32 * 1024 * 1024;

export function inferRoutes(app: FastifyInstance, parts: Parts): void {
  const bounded = {
    bodyLimit: MAX_BODY_BYTES,
    onRequest: [nameBody, admit(parts.admission, MAX_BODY_BYTES)],
  };
  app.get("/v2", () => serverMetadata());
  for (const path of ["/v2/models/:model", "/v2/models/:model/versions/:version"]) {
    app.get(path, (request) => {
      checkModel(request.params);
      const { spec, attestation } = parts.options.classifier.info();
      return modelMetadata(spec, attestation.digests);
    });
    app.post(`${path}/infer`, bounded, (request, reply) => inferred(request, reply, parts));
  }
}

async function inferred(request: FastifyRequest, reply: FastifyReply, parts: Parts): Promise<FastifyReply> {
  checkModel(request.params);
  const { spec } = parts.options.classifier.info();
  const jsonBytes = request.headers["inference-header-content-length"]?.toString();
  const infer = parseInferRequest(bytesOf(request), jsonBytes, spec);
  const response = inferResponse(infer, await answer(request, infer, parts));
  if (response.jsonBytes === undefined) {
    return reply.type("application/json; charset=utf-8").send(response.body);
  }
  void reply.header("inference-header-content-length", response.jsonBytes);
  return reply.type("application/octet-stream").send(response.body);
}

/**
 * Triton's own client sends no content type. Where a header is there that a foreign page cannot send without asking
 * first, the body may go without one.
 */
function nameBody(request: FastifyRequest, _reply: unknown, done: () => void): void {
  const { headers } = request;
  const isAsked = "authorization" in headers || "inference-header-content-length" in headers;
  if (headers["content-type"] === undefined && isAsked) headers["content-type"] = "application/octet-stream";
  done();
}

/** The items side by side, the answers in their order. The first failure ends the others. */
async function answer(request: FastifyRequest, { input, outputs, timeoutMs }: InferRequest, parts: Parts) {
  const call = callOf(request);
  const others = new AbortController();
  const deadline = performance.now() + (timeoutMs ?? Number.POSITIVE_INFINITY);
  const wants = (name: string): boolean => outputs.some((output) => output.name === name);
  const isWhole = outputs.some(({ name, classes }) => name === "indices" && classes === undefined);
  const asked: Asked = {
    topK: isWhole ? 0 : Math.max(1, ...outputs.map(({ classes = 1 }) => classes)),
    include: { logits: wants("logits"), probabilities: wants("probabilities") },
    signal: AbortSignal.any([call.signal, others.signal]),
    remainingMs: () => Math.max(1, Math.min(call.remainingMs(), Math.ceil(deadline - performance.now()))),
  };
  try {
    return await Promise.all(
      items(input, asked, parts).map(async (work) => {
        const { result, timings } = await counted(work, parts);
        parts.metrics.picture("ok", timings);
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
