/** Stage by stage, ours against the reference's: where do they part? */
import type { PreparedBy } from "../classification/handoff.ts";
import type { Handoff } from "../classification/options.ts";
import { agreementOf, nearTieOf } from "./compare/agreement.ts";
import type { Agreement, NearTie } from "./compare/agreement.ts";
import { FLOAT32_TOLERANCE } from "./compare/closeness.ts";
import type { Tolerance } from "./compare/closeness.ts";
import { compareArrays, compareLabels } from "./compare/compare.ts";
import { arraysRung, refused } from "./rung.ts";
import type { ComparedRung, Outcome, Rung, Verdict, Where } from "./rung.ts";
import { STAGES } from "./stages.ts";
import type { ArrayStage, OurTrace, Refusal, Stage, Traced } from "./stages.ts";

export interface Ladder extends Outcome<Stage> {
  readonly agreement?: Agreement;
  /** Of the reference's logits. */
  readonly nearTie?: NearTie;
}

export interface LadderOptions {
  /** @default "tensor" */
  readonly handoff?: Handoff;
  /** Float stages may differ by this much, in the terms of `torch.testing.assert_close`. @default not by one bit */
  readonly tolerance?: Tolerance | undefined;
}

/** Compares two traces of one picture. Pure. */
export function climb(
  ours: OurTrace | Refusal,
  reference: Traced | Refusal,
  options: LadderOptions = {},
): Ladder {
  if (ours.kind === "refused" || reference.kind === "refused")
    return refused(refusalOf(ours), refusalOf(reference), "decoded");
  const rungs = STAGES.map((stage) => rungOf(stage, ours, reference, options));
  const compared = rungs.filter((rung) => rung.outcome !== "skipped");
  const differing = compared.filter(({ outcome, where }) => outcome === "differs" && where !== "recomputed");
  const order = [ours.arrays.order?.data, reference.arrays.order?.data] as const;
  const logits = reference.arrays.logits?.data;
  const nearTie = logits && order[1] ? nearTieOf(logits, order[1]) : null;
  return {
    verdict: verdictOf(differing, options.tolerance),
    rungs,
    firstDivergence: differing[0]?.stage ?? null,
    ...(order[0] && order[1] && { agreement: agreementOf(order[0], order[1]) }),
    ...(nearTie && { nearTie }),
  };
}

function refusalOf(side: Traced | Refusal): Refusal | undefined {
  return side.kind === "refused" ? side : undefined;
}

function verdictOf(differing: readonly ComparedRung<Stage>[], tolerance: Tolerance | undefined): Verdict {
  if (differing.length === 0) return "equal";
  return tolerance !== undefined && differing.every(isTolerable) ? "close" : "diverged";
}

/** With close logits, another order is two classes that lie within the tolerance: the near tie says so. */
function isTolerable({ stage, closeness, note }: ComparedRung<Stage>): boolean {
  return stage === "order" || (closeness?.close === true && note === undefined);
}

function rungOf(stage: Stage, ours: OurTrace, reference: Traced, options: LadderOptions): Rung<Stage> {
  const why = ours.skipped[stage] ?? reference.skipped[stage];
  if (why !== undefined) return { stage, outcome: "skipped", why };
  const where = whereOf(stage, options.handoff ?? "tensor", ours.by ?? "node");
  if (stage === "labels") return labelsRung(ours, reference, where);
  return arrayRung(stage, ours, reference, where, options.tolerance);
}

function arrayRung(
  stage: ArrayStage,
  ours: OurTrace,
  reference: Traced,
  where: Where,
  tolerance: Tolerance = FLOAT32_TOLERANCE,
): Rung<Stage> {
  const [mine, theirs] = [ours.arrays[stage], reference.arrays[stage]];
  if (!mine || !theirs)
    return { stage, outcome: "skipped", why: `${mine ? "the reference" : "our side"} has none` };
  const rung = arraysRung(stage, where, { ours: mine, reference: theirs }, tolerance);
  const fused =
    stage === "normalized" && ours.stepwise ? compareArrays(mine, reshaped(ours.stepwise, mine)) : null;
  if (fused === null || fused.equal) return rung;
  return {
    ...rung,
    outcome: "differs",
    note: "the fused preprocessing differs from its own steps one by one",
  };
}

function labelsRung(ours: OurTrace, reference: Traced, where: Where): Rung<Stage> {
  const stage = "labels";
  if (!ours.labels || !reference.labels) return { stage, outcome: "skipped", why: "no network ran" };
  const comparison = compareLabels(ours.labels, reference.labels);
  const at = comparison.first;
  const note =
    at === null
      ? undefined
      : `class ${at} is ${JSON.stringify(ours.labels[at])} here and ${JSON.stringify(reference.labels[at])} there`;
  return {
    stage,
    outcome: comparison.equal ? "equal" : "differs",
    where,
    comparison,
    ...(note !== undefined && { note }),
  };
}

/** `[3, h, w]` and `[1, 3, h, w]` hold the same values. */
function reshaped<T extends { readonly shape: readonly number[] }>(
  array: T,
  like: { readonly shape: readonly number[] },
): T {
  return array.shape.join() === like.shape.slice(1).join() ? { ...array, shape: like.shape } : array;
}

function whereOf(stage: Stage, handoff: Handoff, by: PreparedBy): Where {
  if (stage === "labels") return "controller";
  if (stage === "embedding" || stage === "logits" || stage === "percentages" || stage === "order")
    return "worker";
  if (by === "worker") return stage === "decoded" || stage === "normalized" ? "worker" : "recomputed";
  const tillPixels = stage === "decoded" || stage === "resized" || stage === "cropped";
  const isHandedOver = tillPixels ? handoff !== "encoded" : handoff === "tensor";
  return isHandedOver ? "controller" : "recomputed";
}
