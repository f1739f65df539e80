/** `POST /classify`: a picture as the body, the object of `isotorch classify --json` as the answer. */
import { pngUri } from "../../image/png.ts";
import { json } from "../http/answer.ts";
import type { HttpRequest } from "../http/request.ts";
import { tell } from "../problem.ts";
import { callOf } from "../request/call.ts";
import { holdRoom } from "../request/receive.ts";
import type { Answered } from "../picture.ts";
import type { ServedModel } from "../models.ts";
import type { Parts, Routes } from "../parts.ts";
import { admitPicture, onlyPost, pictureOf } from "./body.ts";
import { queryOf } from "./query.ts";
import type { Included } from "./query.ts";

/** Classes of an answer where nobody says how many. */
const FEW = 5;

export function classifyRoutes(app: Routes, parts: Parts): void {
  const { pictureBytes } = parts.options.limits;
  const admit = admitPicture(parts.admission, pictureBytes);
  onlyPost(app, "/classify");
  app.onPost("/classify", admit, async (request) => {
    const model = parts.models.of(request.query);
    return json(await model.statistics.request(classified(request, model, parts)));
  });
}

async function classified(
  request: HttpRequest,
  { name, classifier, pictures, statistics }: ServedModel,
  { metrics, options }: Parts,
): Promise<object> {
  const { started, signal, remainingMs } = callOf(request);
  const {
    topK = Math.min(FEW, classifier.info().classes),
    include,
    reading,
    activation,
    threshold,
  } = queryOf(request.query);
  const body = pictureOf(request, options.limits.pictureBytes);
  const receive = performance.now() - started;
  const wanted = {
    logits: include.has("logits"),
    probabilities: include.has("probabilities"),
    embedding: include.has("embedding"),
    tensor: include.has("tensor") || include.has("crop"),
  };
  try {
    const holds = (work: Promise<unknown>): void => holdRoom(request, work);
    const asked = { topK, include: wanted, activation, threshold, signal, remainingMs, holds };
    const answered = await pictures.encoded(body, reading, asked);
    const timings = { receive, ...answered.timings };
    metrics.picture(name, "ok", timings);
    statistics.picture(timings);
    return await asJson({ ...answered, timings }, include);
  } catch (error) {
    metrics.picture(name, tell(error).code);
    throw error;
  }
}

/** The keys of the command line, and the crop besides. */
async function asJson({ result, crop, timings }: Answered, include: ReadonlySet<Included>): Promise<object> {
  const { top, logits, probabilities, embedding, tensor } = result;
  const isShown = include.has("crop") && crop !== undefined;
  return {
    top,
    ...(logits && { logits: [...logits] }),
    ...(probabilities && { probabilities: [...probabilities] }),
    ...(embedding && { embedding: [...embedding.data] }),
    ...(include.has("tensor") && tensor && { tensor: { shape: tensor.shape, data: [...tensor.data] } }),
    ...(isShown && {
      crop: { width: crop.width, height: crop.height, png: await pngUri({ ...crop, channels: 3 }) },
    }),
    ...(include.has("timings") && { timings }),
  };
}
