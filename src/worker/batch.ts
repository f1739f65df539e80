/** Which of the waiting calls go to the worker together: a pure part of the policy in `supervise.ts`. */

/** Payload of one batch at most, bytes: two batches fit what a worker keeps. A call alone always fits. */
const MAX_BATCH_BYTES = 48 * 1024 * 1024;

/** What a batch is made of. */
export interface Waiting {
  readonly bytes: number;
  /** It goes alone: a `decode`, which no other shares. */
  readonly single: boolean;
  /** When it came, milliseconds. */
  readonly since: number;
}

export interface BatchLimits {
  /** Calls in a batch, from 1. */
  readonly maxSize: number;
  /** How long an incomplete batch waits for company, milliseconds. */
  readonly maxDelayMs: number;
  /** Batches at the worker at a time. */
  readonly maxInFlight: number;
}

/**
 * How many calls at the head of the queue are the next batch; 0 while it waits for company.
 *
 * Where nothing is to be waited for, one that is not full is an even share of all that is open, so that one half travels
 * while the other half is computed: with a limit of eight, of six calls that wait three are sent, and then the other three.
 *
 * @param inFlight calls at the worker.
 */
export function nextBatch(
  waiting: readonly Waiting[],
  inFlight: number,
  limits: BatchLimits,
  now: number,
): number {
  const [first] = waiting;
  if (first === undefined) return 0;
  const full = together(waiting, limits.maxSize);
  const complete = full >= limits.maxSize || full < waiting.length;
  if (complete) return full;
  if (limits.maxDelayMs > 0) return now < first.since + limits.maxDelayMs ? 0 : full;
  return Math.min(full, Math.ceil((waiting.length + inFlight) / limits.maxInFlight));
}

/** When the batch at the head of the queue has waited long enough; undefined where nothing waits. */
export function dueAt([first]: readonly Waiting[], { maxDelayMs }: BatchLimits): number | undefined {
  return first && first.since + maxDelayMs;
}

/** How many calls at the head of the queue may share a batch. */
function together(waiting: readonly Waiting[], maxSize: number): number {
  let bytes = 0;
  let count = 0;
  for (const call of waiting) {
    bytes += call.bytes;
    const fits = count === 0 || (!call.single && bytes <= MAX_BATCH_BYTES);
    if (!fits || count === maxSize) break;
    count += 1;
    if (call.single) break;
  }
  return count;
}
