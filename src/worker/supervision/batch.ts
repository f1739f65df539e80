/** Which of the waiting calls go to the worker together: a pure part of the policy in `supervise.ts`. */

/** Payload of one batch at most, bytes: two batches fit what a worker keeps. A call alone always fits. */
const MAX_BATCH_BYTES = 48 * 1024 * 1024;
/** Calls that go apart at the worker at a time: some are decoded, some wait there, and its batches have room beside them. */
const MAX_APART = 8;

/** What a batch is made of. */
export interface Waiting {
  /** Of payload. */
  readonly bytes: number;
  /** It goes apart, with an encoded picture that is decoded beside the network: no batch has it, or waits for it. */
  readonly single: boolean;
  /** When it came, milliseconds. */
  readonly since: number;
}

/** A call that was sent with a batch, or will be. */
interface Sent extends Waiting {
  readonly batch: number;
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
function nextBatch(waiting: readonly Waiting[], inFlight: number, limits: BatchLimits, now: number): number {
  const [first] = waiting;
  if (first === undefined) return 0;
  const full = together(waiting, limits.maxSize);
  const complete = full >= limits.maxSize || full < waiting.length;
  if (complete) return full;
  if (limits.maxDelayMs > 0) return now < first.since + limits.maxDelayMs ? 0 : full;
  return Math.min(full, Math.ceil((waiting.length + inFlight) / limits.maxInFlight));
}

/** When the batch at the head of the queue has waited long enough; undefined where none waits, or none may be sent. */
export function dueAt(
  waiting: readonly Waiting[],
  flight: readonly Sent[],
  limits: BatchLimits,
): number | undefined {
  const first = waiting.find(({ single }) => !single);
  return first && room(flight, limits) > 0 ? first.since + limits.maxDelayMs : undefined;
}

/** What goes next: a call that goes apart, or a batch; neither waits for the other. Empty where nothing may. */
export function nextCalls<T extends Sent>(
  waiting: readonly T[],
  flight: readonly T[],
  limits: BatchLimits,
  now: number,
): readonly T[] {
  const apart = waiting.find(({ single }) => single);
  if (apart && mayGoApart(apart, flight)) return [apart];
  if (room(flight, limits) <= 0) return [];
  const others = waiting.filter(({ single }) => !single);
  const inFlight = flight.filter(({ single }) => !single).length;
  return others.slice(0, nextBatch(others, inFlight, limits, now));
}

function mayGoApart({ bytes }: Waiting, flight: readonly Sent[]): boolean {
  const apart = flight.filter(({ single }) => single);
  const total = apart.reduce((sum, call) => sum + call.bytes, bytes);
  return apart.length === 0 || (apart.length < MAX_APART && total <= MAX_BATCH_BYTES);
}

/** How many more batches the worker may be given. */
function room(flight: readonly Sent[], { maxInFlight }: BatchLimits): number {
  return maxInFlight - new Set(flight.filter(({ single }) => !single).map(({ batch }) => batch)).size;
}

/** How many calls at the head of the queue may share a batch. */
function together(waiting: readonly Waiting[], maxSize: number): number {
  let bytes = 0;
  let count = 0;
  for (const call of waiting) {
    bytes += call.bytes;
    const fits = count === 0 || bytes <= MAX_BATCH_BYTES;
    if (!fits || count === maxSize) break;
    count += 1;
  }
  return count;
}
