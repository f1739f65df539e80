/** Stage by stage, ours against the reference's: where do they part? */
import type { PreparedBy } from "../classification/handoff.ts";
import type { Handoff } from "../classification/options.ts";
import { agreementOf, nearTieOf } from "./compare/agreement.ts";
import type { Agreement, NearTie } from "./compare/agreement.ts";
import { closenessOf, FLOAT32_TOLERANCE } from "./compare/closeness.ts";
import type { Closeness, Tolerance } from "./compare/closeness.ts";
import { compareArrays, compareLabels } from "./compare/compare.ts";
import type { Comparison } from "./compare/compare.ts";
import { STAGES } from "./stages.ts";
import type { ArrayStage, OurTrace, Refusal, Stage, Traced } from "./stages.ts";

/**
 * Where our side's array was made. `recomputed`: by the controller beside what the network saw, which was made elsewhere; it is
 * shown and decides nothing.
 */
export type Where = "controller" | "worker" | "recomputed";

export type Rung = ComparedRung | SkippedRung;

export interface ComparedRung {
  readonly stage: Stage;
  readonly outcome: "equal" | "differs";
  readonly where: Where;
  readonly comparison: Comparison;
  /** For float32 of one shape. */
  readonly closeness?: Closeness;
  /** What the figures do not show. */
  readonly note?: string;
}

export interface SkippedRung {
  readonly stage: Stage;
  readonly outcome: "skipped";
  readonly why: string;
}

/**
 * `equal`: every compared bit. `close`: within a tolerance that was asked for. `refused`: by both sides.
 * `tampered`: a golden file has another hash than its list says, and nothing was compared. `diverged`: anything else.
 */
export const VERDICTS = ["equal", "close", "refused", "tampered", "diverged"] as const;
export type Verdict = (typeof VERDICTS)[number];

export interface Ladder {
  readonly verdict: Verdict;
  readonly rungs: readonly Rung[];
  /** The first stage that differs; within the tolerance too. `null` where every bit is equal. */
  readonly firstDivergence: Stage | null;
  /** Who refused the picture, and why. */
  readonly refusal?: { readonly ours?: Refusal; readonly reference?: Refusal };
  /** The golden files with another hash. */
  readonly tampered?: readonly string[];
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
  if (ours.kind === "refused" || reference.kind === "refused") return refused(ours, reference);
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

function refused(ours: OurTrace | Refusal, reference: Traced | Refusal): Ladder {
  const refusal = {
    ...(ours.kind === "refused" && { ours }),
    ...(reference.kind === "refused" && { reference }),
  };
  const both = refusal.ours !== undefined && refusal.reference !== undefined;
  const verdict = both ? "refused" : "diverged";
  return { verdict, rungs: [], firstDivergence: both ? null : "decoded", refusal };
}

function verdictOf(differing: readonly ComparedRung[], tolerance: Tolerance | undefined): Verdict {
  if (differing.length === 0) return "equal";
  return tolerance !== undefined && differing.every(isTolerable) ? "close" : "diverged";
}

/** With close logits, another order is two classes that lie within the tolerance: the near tie says so. */
function isTolerable({ stage, closeness, note }: ComparedRung): boolean {
  return stage === "order" || (closeness?.close === true && note === undefined);
}

function rungOf(stage: Stage, ours: OurTrace, reference: Traced, options: LadderOptions): Rung {
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
): Rung {
  const [mine, theirs] = [ours.arrays[stage], reference.arrays[stage]];
  if (!mine || !theirs)
    return { stage, outcome: "skipped", why: `${mine ? "the reference" : "our side"} has none` };
  const comparison = compareArrays(mine, theirs);
  const isFloat = comparison.kind === "values" && comparison.dtype === "<f4";
  const fused =
    stage === "normalized" && ours.stepwise ? compareArrays(mine, reshaped(ours.stepwise, mine)) : null;
  const parted = fused !== null && !fused.equal;
  return {
    stage,
    outcome: comparison.equal && !parted ? "equal" : "differs",
    where,
    comparison,
    ...(isFloat && { closeness: closenessOf(mine, theirs, tolerance) }),
    ...(parted && { note: "the fused preprocessing differs from its own steps one by one" }),
  };
}

function labelsRung(ours: OurTrace, reference: Traced, where: Where): Rung {
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
