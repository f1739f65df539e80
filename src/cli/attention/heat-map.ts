/** A square of attention in characters: a row for each token that looks, a column for each that is looked at. */
import { visible } from "../../base/text/shown.ts";
import { clipped, padded } from "../terminal/width.ts";
import type { Square } from "./attention.ts";

/** From which share on a character stands; what a token cannot look at stays blank. */
const SHADES: readonly (readonly [share: number, character: string])[] = [
  [0.6, "█"],
  [0.3, "▓"],
  [0.15, "▒"],
  [0.05, "░"],
  [0, "·"],
];
const LEGEND = "· below 5 %   ░ from 5 %   ▒ from 15 %   ▓ from 30 %   █ from 60 %";
/** Columns of a token beside its row. */
const NAME = 12;
/** Columns of what a row looks at most, behind it. */
const MOST = 24;
const NARROWEST = 8;

/**
 * @param tokens as text for people.
 * @param columns of the terminal; a longer text loses its first tokens there, and a line says so.
 */
export function heatMap({ rows }: Square, tokens: readonly string[], columns: number = Infinity): string[] {
  const places = String(tokens.length - 1).length;
  const room = Math.max(NARROWEST, columns - places - NAME - MOST - 6);
  const size = tokens.length * 2 <= room ? 2 : 1;
  const first = Math.max(0, tokens.length - Math.floor(room / size));
  const names = tokens.map((token) => clipped(`"${visible(token)}"`, NAME));
  const head = `${"".padEnd(places + NAME + 4)}${ruler(first, tokens.length, size)}`;
  const lines = rows.map((row, from) => {
    const cells = [...row].map((share, to) => (to > from ? " " : shadeOf(share)).repeat(size));
    const most = row.reduce((best, share, to) => (share > (row[best] ?? 0) ? to : best), 0);
    const looks = `${most} ${names[most]} ${((row[most] ?? 0) * 100).toFixed(0)} %`;
    return `  ${String(from).padStart(places)} ${padded(names[from] ?? "", NAME)} ${cells.slice(first).join("")}  ${looks}`;
  });
  const left =
    first === 0
      ? []
      : [`  Columns begin at token ${first}: the terminal is not wide enough for all. --html shows them.`];
  return [head.trimEnd(), ...lines.slice(first), ...left, `  ${LEGEND}`];
}

function shadeOf(share: number): string {
  return SHADES.find(([from]) => share >= from)?.[1] ?? "?";
}

/** Numbers of the columns, each at its place, where there is room for it. */
function ruler(first: number, end: number, size: number): string {
  const step = size === 2 ? 5 : 10;
  let line = "";
  for (let at = first; at < end; at += 1) {
    const place = (at - first) * size;
    if (at % step === 0 && line.length <= place) line = line.padEnd(place) + at;
  }
  return line;
}
