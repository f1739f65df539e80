import { describe, expect, test } from "vitest";
import { statistics } from "./bench.ts";

const { compare, median, quantile, slope, worstStep } = statistics;

describe("quantiles", () => {
  test("nothing has no median", () => {
    expect(median([])).toBeNaN();
  });

  test("the median of an even number of values lies between the middle two", () => {
    expect(median([4, 1, 3, 2])).toBe(2.5);
  });

  test("a quartile is interpolated, and the values stay in their order", () => {
    const values = [10, 0, 20, 30];
    expect(quantile(values, 0.25)).toBe(7.5);
    expect(values).toEqual([10, 0, 20, 30]);
  });
});

describe("two competitors in turns", () => {
  test("a machine that slows both down for a while does not move the ratio", () => {
    const quiet = Array.from({ length: 4 }, () => ({ ours: 100, rival: 200 }));
    const busy = Array.from({ length: 4 }, () => ({ ours: 700, rival: 1400 }));
    expect(compare([...quiet, ...busy])).toMatchObject({ ratio: 0.5, spread: [0.5, 0.5] });
  });

  test("one round that was disturbed shows in the spread at most", () => {
    const pairs = [
      ...Array.from({ length: 6 }, () => ({ ours: 100, rival: 100 })),
      { ours: 900, rival: 100 },
    ];
    expect(compare(pairs)).toMatchObject({ value: 100, rival: 100, ratio: 1, spread: [1, 1] });
  });
});

describe("growth and falls", () => {
  test("the slope of a line is found through outliers", () => {
    const points = Array.from({ length: 20 }, (_, x) => [x, x === 7 ? 500 : 3 * x + 1]);
    expect(slope(points)).toBeCloseTo(3);
  });

  test("what is flat has the slope 0", () => {
    expect(
      slope([
        [1, 5],
        [2, 5],
        [9, 5],
      ]),
    ).toBe(0);
  });

  test("the worst step is a fall, measured from the best before it", () => {
    expect(worstStep([10, 12, 11, 9])).toEqual({ ours: 9, rival: 12 });
  });

  test("without a fall it is the smallest rise", () => {
    expect(worstStep([10, 20, 21])).toEqual({ ours: 21, rival: 20 });
  });
});
