/** The whole run in figures: how many pictures of which kind, how many values, and where the rest diverged. */
import { VERDICTS } from "../rung.ts";
import type { Outcome, Rung, Verdict } from "../rung.ts";
import type { Tolerance } from "../compare/closeness.ts";
import type { ParityWeights, Side } from "../run.ts";
import { STAGES } from "../stages.ts";
import type { Stage } from "../stages.ts";
import type { PictureReport } from "./picture.ts";

/** Everything that a report file is made from. */
export interface ParityReport {
  readonly isotorch: string;
  /** `live`: both sides ran. `replay`: ours against golden files. */
  readonly source: "live" | "replay";
  readonly ours: Side;
  readonly reference: Side;
  readonly weights: ParityWeights;
  /** What was tolerated; `null` for not one bit. */
  readonly tolerance: Tolerance | null;
  readonly summary: Summary;
  readonly pictures: readonly PictureReport[];
}

export type Counts = Readonly<Record<Verdict, number>>;

export interface StageTotals {
  /** How many comparisons looked at this stage. */
  readonly compared: number;
  readonly skipped: number;
  /** Comparisons with a difference. */
  readonly differing: number;
  readonly values: number;
  readonly differingValues: number;
}

/** What the last line of a run is made of. */
export interface Totals {
  readonly inputs: number;
  readonly comparisons: number;
  readonly verdicts: Counts;
  readonly firstDivergences: readonly (readonly [stage: string, count: number])[];
}

export interface Summary {
  /** Nothing diverged. */
  readonly passed: boolean;
  readonly pictures: number;
  /** Pictures times handoffs. */
  readonly comparisons: number;
  readonly verdicts: Counts;
  readonly kinds: Readonly<Record<string, Counts>>;
  readonly handoffs: Readonly<Record<string, Counts>>;
  readonly stages: Readonly<Record<Stage, StageTotals>>;
  /** How often each stage was the first to diverge, the most frequent first. */
  readonly firstDivergences: readonly (readonly [Stage, number])[];
}

/** Adds up. Pure. */
export function summarise(pictures: readonly PictureReport[]): Summary {
  const verdicts = countVerdicts(pictures);
  return {
    passed: verdicts.diverged === 0 && verdicts.tampered === 0,
    pictures: new Set(pictures.map(({ input }) => input)).size,
    comparisons: pictures.length,
    verdicts,
    kinds: countBy(pictures, ({ kind }) => kind),
    handoffs: countBy(pictures, ({ handoff }) => handoff),
    stages: stageTotals(STAGES, pictures, (stage) => stage),
    firstDivergences: firstsOf(STAGES, pictures),
  };
}

export function countVerdicts(compared: readonly Pick<Outcome, "verdict">[]): Counts {
  const counted = VERDICTS.map((verdict) => [
    verdict,
    compared.filter((one) => one.verdict === verdict).length,
  ]);
  return Object.fromEntries(counted) as Counts;
}

/** @param kindOf which of the kinds a stage is of. */
export function stageTotals<S extends string, K extends string>(
  kinds: readonly K[],
  compared: readonly Outcome<S>[],
  kindOf: (stage: S) => K,
): Readonly<Record<K, StageTotals>> {
  const rungs = compared.flatMap((one) => one.rungs);
  return Object.fromEntries(
    kinds.map((kind) => [kind, totalsOf(rungs.filter(({ stage }) => kindOf(stage) === kind))]),
  ) as Record<K, StageTotals>;
}

/** How often each stage was the first to differ, the most frequent first, and of equals the one that comes first. */
export function firstsOf<S extends string>(
  stages: Iterable<S>,
  compared: readonly Pick<Outcome<S>, "firstDivergence">[],
): (readonly [S, number])[] {
  return Array.from(
    stages,
    (stage) => [stage, compared.filter(({ firstDivergence }) => firstDivergence === stage).length] as const,
  )
    .filter(([, count]) => count > 0)
    .toSorted((a, b) => b[1] - a[1]);
}

function countBy(
  pictures: readonly PictureReport[],
  keyOf: (picture: PictureReport) => string,
): Record<string, Counts> {
  const groups = new Map<string, PictureReport[]>();
  for (const picture of pictures) {
    const key = keyOf(picture);
    const group = groups.get(key);
    if (group) group.push(picture);
    else groups.set(key, [picture]);
  }
  const sorted = [...groups].toSorted(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(sorted.map(([key, group]) => [key, countVerdicts(group)]));
}

function totalsOf(rungs: readonly Rung[]): StageTotals {
  let [compared, skipped, differing, values, differingValues] = [0, 0, 0, 0, 0];
  for (const rung of rungs) {
    if (rung.outcome === "skipped") {
      skipped++;
      continue;
    }
    compared++;
    if (rung.outcome === "differs") differing++;
    if (rung.comparison.kind === "shape-mismatch") continue;
    values += rung.comparison.total;
    differingValues += rung.comparison.differing;
  }
  return { compared, skipped, differing, values, differingValues };
}
