/** What every report says in the same words. */
import { pythonFloat } from "../compare/python-float.ts";
import type { Outcome, Rung } from "../rung.ts";
import type { ParityWeights } from "../run.ts";
import type { Counts, Summary, Totals } from "./summary.ts";

/** One clause: `equal`, `refused by both: …`, `diverged at resized: 12 of 349,440 values, by up to 1`. */
export function verdictText({ verdict, rungs, firstDivergence, refusal, tampered }: Outcome): string {
  if (tampered) return `tampered: ${tampered.join(", ")}`;
  if (refusal) return refusalText(refusal, firstDivergence);
  if (verdict === "equal")
    return rungs.some(({ outcome }) => outcome === "skipped") ? "equal where compared" : "equal";
  const first = rungs.find(({ stage }) => stage === firstDivergence);
  const where = verdict === "close" ? "close, differs" : "diverged";
  return `${where} at ${firstDivergence}${first ? `: ${rungText(first)}` : ""}`;
}

function refusalText({ ours, reference }: NonNullable<Outcome["refusal"]>, stage: string | null): string {
  if (ours && reference) return `refused by both: ${ours.code} / ${reference.code}`;
  if (ours) return `diverged at ${stage}: refused here only, ${ours.code}: ${ours.message}`;
  return `diverged at ${stage}: refused there only, ${reference?.code}: ${reference?.message}`;
}

/** The figures of one stage in one line. */
export function rungText(rung: Rung): string {
  if (rung.outcome === "skipped") return rung.why;
  const { comparison, note } = rung;
  if (comparison.kind === "shape-mismatch") {
    const { ours, reference } = comparison;
    return `${ours.dtype} [${ours.shape.join(", ")}] here, ${reference.dtype} [${reference.shape.join(", ")}] there`;
  }
  const { differing, total, largest, ulp } = comparison;
  const by = largest === null || differing === 0 ? "" : `, by up to ${figure(largest)}`;
  const steps = ulp === null || differing === 0 ? "" : ` (${figure(ulp)} ULP)`;
  return `${grouped(differing)} of ${grouped(total)} values${by}${steps}${note === undefined ? "" : `; ${note}`}`;
}

/** `12 equal, 1 refused by both`; the verdicts that did not occur are left out. */
export function countsText(counts: Counts): string {
  const named = { ...counts, "refused by both": counts.refused };
  return (["equal", "close", "refused by both", "tampered", "diverged"] as const)
    .filter((name) => named[name] > 0)
    .map((name) => `${grouped(named[name])} ${name}`)
    .join(", ");
}

/** The last line of a run over pictures. */
export function summaryText({ pictures, ...summary }: Summary): string {
  return totalText({ ...summary, inputs: pictures }, pictures === 1 ? "picture" : "pictures");
}

/** The last line of a run. @param noun what was compared, in as many as there were. */
export function totalText({ inputs, comparisons, verdicts, firstDivergences }: Totals, noun: string): string {
  const by = comparisons === inputs ? "" : ` in ${grouped(comparisons)} comparisons`;
  const first = firstDivergences.map(([stage, count]) => `${stage} ${grouped(count)}×`).join(", ");
  const where = first === "" ? "" : `; first to differ: ${first}`;
  return `${grouped(inputs)} ${noun}${by}: ${countsText(verdicts)}${where}`;
}

/** What both sides ran, each with its name: for the tables of the reports. */
export function networkRows({
  model,
  classes,
  name,
  sha256,
  integrity,
  checkpointKey,
  prefix,
  remarks = [],
  ...preprocessing
}: ParityWeights): (readonly [name: string, value: string])[] {
  const rows: (readonly [string, string | undefined])[] = [
    ["model", model],
    ["classes", classes === undefined ? undefined : grouped(classes)],
    ["weights", name],
    ["SHA-256", sha256],
    ["integrity", integrity],
    ["state dict at", checkpointKey],
    ["names without", prefix],
    ["transforms", transformsText(preprocessing)],
    ...remarks.map((remark) => ["remark", remark] as const),
  ];
  return rows.flatMap(([row, value]) => (value === undefined ? [] : [[row, value] as const]));
}

/** The weights' own preprocessing by their name, or one's own as it is. */
function transformsText({ transforms, spec }: Pick<ParityWeights, "transforms" | "spec">): string {
  if (transforms !== null) return transforms;
  const { resize, crop, interpolation, mean, std } = spec;
  const sizes = `resize ${JSON.stringify(resize)}, crop ${JSON.stringify(crop)}, ${interpolation}`;
  return `own: ${sizes}, mean ${JSON.stringify(mean)}, std ${JSON.stringify(std)}`;
}

/** A number for a reader: whole ones grouped, others as Python writes them. */
export function figure(value: number | null): string {
  if (value === null) return "";
  return Number.isInteger(value) ? grouped(value) : pythonFloat(value);
}

/** `1,234,567`. */
export function grouped(count: number): string {
  return count.toLocaleString("en-US");
}
