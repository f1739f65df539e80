/** The report for programs: every figure, no images. */
import type { ParityReport } from "./summary.ts";

/** One JSON document. Numbers that JSON has no word for are the texts `NaN`, `Infinity` and `-Infinity`. */
export function jsonReport(report: ParityReport): string {
  return `${JSON.stringify(report, forJson, 1)}\n`;
}

/** A replacer for `JSON.stringify`. */
export function forJson(key: string, value: unknown): unknown {
  if (key === "images") return undefined;
  return typeof value === "number" && !Number.isFinite(value) ? String(value) : value;
}
