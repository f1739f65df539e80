// One row per case: what was measured, against what, and whether the goal was reached.
import { compare } from "./statistics.mjs";

/** A goal for the ratio ours / rival. */
export const atLeast = (ratio) => ({ ratio, text: `ratio >= ${ratio}`, met: (found) => found >= ratio });
export const atMost = (ratio) => ({ ratio, text: `ratio <= ${ratio}`, met: (found) => found <= ratio });

/**
 * A row from rounds in which both took turns.
 *
 * @param goal `atLeast()`, `atMost()`, or null for a figure that is reported without a goal.
 * @param options.note one sentence. @param options.withheld true where the goal asks for more than was measured.
 */
export function measured(name, unit, pairs, goal, { note, withheld = false, curve } = {}) {
  const { ratios, ...figures } = compare(pairs);
  const met = goal === null ? null : goal.met(figures.ratio) && !withheld;
  return { name, unit, ...figures, goal: goal?.text ?? null, met, note, ratios, limit: goal?.ratio, curve };
}

/** A row without figures: a precision that is not built, a rival that is not there. */
export function absent(name, unit, goal, note) {
  const nothing = { value: null, unit, rival: null, ratio: null, spread: null };
  return { name, ...nothing, goal: goal?.text ?? null, met: false, note, ratios: [] };
}

/** The report as it is written to a file. */
export function toJson(machine, rows) {
  const cases = rows.map(({ name, value, unit, rival, ratio, spread, goal, met, note }) => ({
    name,
    value,
    unit,
    rival,
    ratio,
    spread,
    goal,
    met,
    ...(note !== undefined && { note }),
  }));
  return { machine, cases };
}

const HEAD = ["case", "ours", "rival", "unit", "ratio", "quartiles", "goal", "met"];

/** The report as text: the machine, the table, the notes under it. */
export function toText(machine, rows) {
  const facts = Object.entries(machine).map(([key, value]) => `${key}: ${value}`);
  const lines = [HEAD, ...rows.map(cells)];
  const widths = HEAD.map((_, column) => Math.max(...lines.map((line) => line[column].length)));
  const table = lines.map((line) =>
    line
      .map((cell, column) => cell.padEnd(widths[column]))
      .join("  ")
      .trimEnd(),
  );
  table.splice(1, 0, widths.map((width) => "-".repeat(width)).join("  "));
  const notes = rows.filter(({ note }) => note !== undefined).map(({ name, note }) => `* ${name}: ${note}`);
  return `${[...facts, "", ...table, ...(notes.length > 0 ? ["", ...notes] : [])].join("\n")}\n`;
}

/** The cells of one row, in the order of the table's head. */
export function cells({ name, value, rival, unit, ratio, spread, goal, met }) {
  return [
    name,
    figure(value),
    figure(rival),
    unit,
    ratio === null ? "-" : ratio.toFixed(3),
    spread === null ? "-" : spread.map((end) => end.toFixed(3)).join(" to "),
    goal ?? "-",
    met === null ? "-" : met ? "yes" : "no",
  ];
}

export const TABLE_HEAD = HEAD;

function figure(value) {
  return value === null ? "-" : value.toPrecision(4);
}
