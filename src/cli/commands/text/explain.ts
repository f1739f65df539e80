/** One step of a text for people: what could have come, how likely, and what was drawn. */
import { visible } from "../../../base/text/shown.ts";
import type { Candidate, Token } from "../../../generation/stream.ts";
import { bar } from "../../terminal/terminal.ts";
import { clipped, padded } from "../../terminal/width.ts";

const BAR = 30;
const LEAST = 0.001;
/** Columns of a token. */
const WIDTH = 18;

/**
 * The lines of a step: its candidates with their probabilities, and behind them the token that came where it is none of them.
 *
 * @param step 1 for the first.
 */
export function explained({ id, logprob, candidates = [] }: Token, text: string, step: number): string[] {
  const rank = candidates.findIndex((candidate) => candidate.id === id);
  const rows: Candidate[] = rank === -1 ? [...candidates, { id, text, logprob }] : [...candidates];
  const place = rank === -1 ? `none of the ${candidates.length} likeliest` : `number ${rank + 1}`;
  return [
    `${step}  drawn: ${quoted(text)}, ${percentOf(logprob)}, ${place}`,
    ...rows.flatMap((row, at) => [
      ...(rank === -1 && at === candidates.length && at > 0 ? ["      …"] : []),
      line(row, row.id === id),
    ]),
  ];
}

function line({ id, text, logprob }: Candidate, isDrawn: boolean): string {
  const name = padded(clipped(quoted(text), WIDTH), WIDTH);
  const figures = `${percentOf(logprob).padStart(8)}  ${bar(Math.exp(logprob), BAR)}`;
  return `  ${isDrawn ? "→" : " "} ${String(id).padStart(6)}  ${name} ${figures}`.trimEnd();
}

/** As in `12.3 %`, and with two digits where it is less than one. */
function percentOf(logprob: number): string {
  const percent = Math.exp(logprob) * 100;
  if (percent < LEAST) return `< ${LEAST} %`;
  return `${percent < 1 ? percent.toPrecision(2) : percent.toFixed(1)} %`;
}

/** A token, whose blanks and line ends are seen. */
function quoted(text: string): string {
  return `"${visible(text)}"`;
}
