/** Whether a worker that answers pings has stopped answering calls: a pure part of `supervise.ts`. */
import type { State } from "./state.ts";

/** So many times its slowest answer may pass without another one. */
const TIMES = 10;
/** Less than this is noise of the machine, milliseconds. */
const LEAST_MS = 1_000;

/** Whether calls are at the worker, and it has answered none for ten times as long as its slowest answer took, at least 1 s. */
export function isStalled({ busySince, slowestMs }: State, now: number): boolean {
  return busySince !== undefined && now - busySince > Math.max(LEAST_MS, TIMES * slowestMs);
}
