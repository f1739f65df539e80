import { describe, expect, test } from "vitest";
import { agreementOf, nearTieOf } from "../../../src/parity/compare/agreement.ts";

describe("the best classes", () => {
  test("may disagree at the first place", () => {
    const found = agreementOf([1, 0, 2, 3, 4, 5], [0, 1, 2, 3, 4, 5]);
    expect(found).toEqual({ top1: false, top5Set: true, top5Order: false });
  });

  test("may disagree in which five they are", () => {
    const found = agreementOf([0, 1, 2, 3, 5, 4], [0, 1, 2, 3, 4, 5]);
    expect(found).toEqual({ top1: true, top5Set: false, top5Order: false });
  });

  test("agree though the rest does not", () => {
    const found = agreementOf([10, 9, 8, 7, 6, 0, 1], [10, 9, 8, 7, 6, 1, 0]);
    expect(found).toEqual({ top1: true, top5Set: true, top5Order: true });
  });
});

describe("the nearest tie", () => {
  const values = [0.5, 4, 3, 2.875, 1, 0.75, 0.625];
  const order = [1, 2, 3, 4, 5, 6, 0];

  test("is the smallest gap among the first six, and half of it swaps the two", () => {
    expect(nearTieOf(values, order)).toEqual({ rank: 2, classes: [2, 3], gap: 0.125, drift: 0.0625 });
  });

  test("may be between the last class that is shown and the first that is not", () => {
    expect(nearTieOf([9, 8, 7.5, 1], [0, 1, 2, 3], 2)).toMatchObject({ rank: 2, gap: 0.5 });
  });

  test("is none beyond the first six", () => {
    const tied = [9, 8, 7, 6, 5, 4, 3, 3];
    expect(nearTieOf(tied, [0, 1, 2, 3, 4, 5, 6, 7])).toMatchObject({ gap: 1 });
  });

  test("is unknown where a value is no number, and where there is one class", () => {
    expect(nearTieOf([1, Number.NaN], [0, 1])).toBeNull();
    expect(nearTieOf([1], [0])).toBeNull();
  });
});
