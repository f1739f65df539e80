import { expect, test } from "vitest";
import { BOUNDS_MS, StageTimes } from "../../../src/base/time/histogram.ts";

test("a stage has its count, sum, largest value and buckets", () => {
  const times = new StageTimes();
  for (const ms of [0.05, 3, 3, 40_000]) times.record({ forward: ms });
  const { forward } = times.snapshot();
  expect(forward).toMatchObject({ count: 4, sumMs: 40_006.05, maxMs: 40_000, boundsMs: BOUNDS_MS });
  expect(forward?.counts.at(0)).toBe(1);
  expect(forward?.counts.at(BOUNDS_MS.indexOf(5))).toBe(2);
  expect(forward?.counts.at(-1)).toBe(1);
});

test("quantiles lie in the bucket of the value that they stand for", () => {
  const times = new StageTimes();
  for (let ms = 1; ms <= 100; ms++) times.record({ total: ms });
  const { p50 = 0, p95 = 0, p99 = 0 } = times.snapshot()["total"] ?? {};
  expect(p50).toBeCloseTo(50, 5);
  expect(p95).toBeCloseTo(95, 5);
  expect(p99).toBeCloseTo(99, 5);
});

test("a stage that never came has no histogram", () => {
  expect(new StageTimes().snapshot()).toEqual({});
});
