/** `torch.testing.assert_close`, retold: would it pass, what would it say, and what tolerance would have been enough. */
import { pythonTuple } from "../../base/files/npy.ts";
import type { StageArray } from "./array.ts";
import { pythonFloat, pythonPercent } from "./python-float.ts";
import { float32At, LARGEST_PLACE } from "./ulp.ts";

export interface Tolerance {
  readonly rtol: number;
  readonly atol: number;
}

/** The defaults of `torch.testing.assert_close` for float32. */
export const FLOAT32_TOLERANCE: Tolerance = { rtol: 1.3e-6, atol: 1e-5 };

export interface Closeness extends Tolerance {
  /** Whether `torch.testing.assert_close(ours, reference, rtol=…, atol=…)` passes. */
  readonly close: boolean;
  readonly mismatched: number;
  readonly total: number;
  /** Smallest float32 `atol` that passes with this `rtol`; 0 where none is needed, `null` where none is enough. */
  readonly smallestAtol: number | null;
  /** Smallest float32 `rtol` that passes with this `atol`; 0 where none is needed, `null` where none is enough. */
  readonly smallestRtol: number | null;
  /** What torch says; `null` when it passes. */
  readonly message: string | null;
}

/** Compares two float32 arrays of one shape, the reference being torch's `expected`. */
export function closenessOf(
  ours: StageArray,
  reference: StageArray,
  tolerance: Tolerance = FLOAT32_TOLERANCE,
): Closeness {
  const { rtol, atol } = tolerance;
  const mismatches = mismatchesOf(ours.data, reference.data, tolerance);
  const passesWith = (over: Partial<Tolerance>): boolean =>
    isClose(ours.data, reference.data, { ...tolerance, ...over });
  return {
    rtol,
    atol,
    close: mismatches.length === 0,
    mismatched: mismatches.length,
    total: ours.data.length,
    smallestAtol: smallest((candidate) => passesWith({ atol: candidate })),
    smallestRtol: smallest((candidate) => passesWith({ rtol: candidate })),
    message: mismatches.length === 0 ? null : messageOf(ours, reference, mismatches, tolerance),
  };
}

/**
 * One value, in double precision as `assert_close` computes it (after torch 1.13 it computes in float32, which moves the
 * limit by less than one part in a million). Equal infinities are close, NaNs never are.
 */
function matches(actual: number, expected: number, { rtol, atol }: Tolerance): boolean {
  if (actual === expected) return true;
  const error = Math.abs(actual - expected);
  return Number.isFinite(error) && error <= atol + Math.abs(rtol * expected);
}

function isClose(ours: StageArray["data"], reference: StageArray["data"], tolerance: Tolerance): boolean {
  for (let i = 0; i < ours.length; i++) if (!matches(ours[i]!, reference[i]!, tolerance)) return false;
  return true;
}

function mismatchesOf(
  ours: StageArray["data"],
  reference: StageArray["data"],
  tolerance: Tolerance,
): number[] {
  const found: number[] = [];
  for (let i = 0; i < ours.length; i++) if (!matches(ours[i]!, reference[i]!, tolerance)) found.push(i);
  return found;
}

/** The smallest float32 that passes: a bisection over all of them, because more tolerance never fails what less passes. */
function smallest(passes: (candidate: number) => boolean): number | null {
  if (passes(0)) return 0;
  if (!passes(float32At(LARGEST_PLACE))) return null;
  let failing = 0;
  let passing = LARGEST_PLACE;
  while (passing - failing > 1) {
    const middle = Math.floor((failing + passing) / 2);
    if (passes(float32At(middle))) passing = middle;
    else failing = middle;
  }
  return float32At(passing);
}

function messageOf(
  ours: StageArray,
  reference: StageArray,
  mismatches: readonly number[],
  { rtol, atol }: Tolerance,
): string {
  const total = ours.data.length;
  const differenceAt = (i: number): number => Math.abs(ours.data[i]! - reference.data[i]!);
  const absolute = greatest(mismatches, differenceAt);
  const relative = greatest(mismatches, (i) => differenceAt(i) / Math.abs(reference.data[i]!));
  const exactly = rtol === 0 && atol === 0;
  const line = (name: string, { value, at }: Greatest, allowed: number): string => {
    const index = pythonTuple(unravel(at, ours.shape));
    const limit = exactly ? "" : ` (up to ${pythonFloat(allowed)} allowed)`;
    return `Greatest ${name} difference: ${pythonFloat(value)} at index ${index}${limit}`;
  };
  return [
    `Tensor-likes are not ${exactly ? "equal" : "close"}!`,
    "",
    `Mismatched elements: ${mismatches.length} / ${total} (${pythonPercent(mismatches.length, total)})`,
    line("absolute", absolute, atol),
    line("relative", relative, rtol),
  ].join("\n");
}

interface Greatest {
  readonly value: number;
  /** Flat position. */
  readonly at: number;
}

/** As `torch.max` finds it: the first of equal values, and NaN before every number. */
function greatest(positions: readonly number[], valueAt: (at: number) => number): Greatest {
  let best: Greatest = { value: 0, at: 0 };
  for (const at of positions) {
    const value = valueAt(at);
    if (Number.isNaN(value)) return { value, at };
    if (value > best.value) best = { value, at };
  }
  return best;
}

function unravel(at: number, shape: readonly number[]): number[] {
  let rest = at;
  return shape
    .toReversed()
    .map((size) => {
      const index = rest % size;
      rest = Math.floor(rest / size);
      return index;
    })
    .toReversed();
}
