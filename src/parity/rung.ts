/** One stage, ours over the reference's, and what all of them come to: whatever the stages are. */
import { closenessOf } from "./compare/closeness.ts";
import type { Closeness, Tolerance } from "./compare/closeness.ts";
import type { StageArray } from "./compare/array.ts";
import { compareArrays } from "./compare/compare.ts";
import type { Comparison } from "./compare/compare.ts";
import type { Refusal } from "./stages.ts";

/**
 * Where our side's array was made. `recomputed`: by the controller beside what the network saw, which was made elsewhere; it is
 * shown and decides nothing.
 */
export type Where = "controller" | "worker" | "recomputed";

export type Rung<S extends string = string> = ComparedRung<S> | SkippedRung<S>;

export interface ComparedRung<S extends string = string> {
  readonly stage: S;
  readonly outcome: "equal" | "differs";
  readonly where: Where;
  readonly comparison: Comparison;
  /** For float32 of one shape. */
  readonly closeness?: Closeness;
  /** What the figures do not show. */
  readonly note?: string;
}

export interface SkippedRung<S extends string = string> {
  readonly stage: S;
  readonly outcome: "skipped";
  readonly why: string;
}

/**
 * `equal`: every compared bit. `close`: within a tolerance that was asked for. `refused`: by both sides.
 * `tampered`: a golden file has another hash than its list says, and nothing was compared. `diverged`: anything else.
 */
export const VERDICTS = ["equal", "close", "refused", "tampered", "diverged"] as const;
export type Verdict = (typeof VERDICTS)[number];

/** What a comparison came to. */
export interface Outcome<S extends string = string> {
  readonly verdict: Verdict;
  readonly rungs: readonly Rung<S>[];
  /** The first stage that differs; within the tolerance too. `null` where every bit is equal. */
  readonly firstDivergence: S | null;
  /** Who refused the input, and why. */
  readonly refusal?: { readonly ours?: Refusal; readonly reference?: Refusal };
  /** The golden files with another hash. */
  readonly tampered?: readonly string[];
}

/** @param tolerance of float32, for its `closeness`; without it there is none. */
export function arraysRung<S extends string>(
  stage: S,
  where: Where,
  arrays: { readonly ours: StageArray; readonly reference: StageArray },
  tolerance?: Tolerance,
): ComparedRung<S> {
  const { ours, reference } = arrays;
  const comparison = compareArrays(ours, reference);
  const isFloat = comparison.kind === "values" && comparison.dtype === "<f4";
  return {
    stage,
    outcome: comparison.equal ? "equal" : "differs",
    where,
    comparison,
    ...(isFloat && tolerance && { closeness: closenessOf(ours, reference, tolerance) }),
  };
}

/**
 * Where one side or both would not take the input.
 *
 * @param first the stage at which that is a divergence, where the other side did take it.
 */
export function refused<S extends string>(
  ours: Refusal | undefined,
  reference: Refusal | undefined,
  first: S,
): Outcome<S> {
  const both = ours !== undefined && reference !== undefined;
  return {
    verdict: both ? "refused" : "diverged",
    rungs: [],
    firstDivergence: both ? null : first,
    refusal: { ...(ours && { ours }), ...(reference && { reference }) },
  };
}
