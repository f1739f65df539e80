/** `POST /compare`: PyTorch's own answer for a picture, and the first stage at which ours is another. */
import { withinDeadline } from "../../base/time/deadline.ts";
import type { Rung } from "../../parity/rung.ts";
import { rungText } from "../../parity/report/words.ts";
import { json } from "../http/answer.ts";
import type { HttpRequest } from "../http/request.ts";
import { HttpProblem } from "../problem.ts";
import { callOf } from "../request/call.ts";
import { holdRoom } from "../request/receive.ts";
import type { Parts, Routes } from "../parts.ts";
import { admitPicture, onlyPost, pictureOf } from "./body.ts";

export function compareRoutes(app: Routes, parts: Parts): void {
  const { pictureBytes } = parts.options.limits;
  const admit = admitPicture(parts.admission, pictureBytes);
  onlyPost(app, "/compare");
  app.onPost("/compare", admit, async (request) => json(await compared(request, parts)));
}

async function compared(request: HttpRequest, { models, options }: Parts): Promise<object> {
  const { comparer, classifier } = models.of(request.query);
  if (comparer === undefined || classifier.info().environment === "remote") {
    throw new HttpProblem(
      "NOT_IMPLEMENTED",
      "This server has no plain PyTorch to compare with.",
      "Start it with a checkpoint, and without --no-compare.",
    );
  }
  const body = pictureOf(request, options.limits.pictureBytes);
  const { signal: caller, remainingMs } = callOf(request);
  const { ladder, reference } = await withinDeadline(
    { signal: caller, timeoutMs: remainingMs() },
    (signal) => {
      const comparing = comparer.compare(body, signal);
      holdRoom(request, comparing);
      return comparing;
    },
  );
  const { verdict, firstDivergence, rungs, refusal } = ladder;
  return { verdict, firstDivergence, stages: rungs.map(stageOf), reference, ...(refusal && { refusal }) };
}

function stageOf(rung: Rung): object {
  return { stage: rung.stage, outcome: rung.outcome, figures: rungText(rung) };
}
