import { describe, expect, test } from "vitest";
import { arrayOfFloats, arrayOfIntegers } from "../../../src/parity/compare/array.ts";
import type { StageArray } from "../../../src/parity/compare/array.ts";
import { compareArrays, compareLabels } from "../../../src/parity/compare/compare.ts";
import { float32At, LARGEST_PLACE, ulpDistance } from "../../../src/parity/compare/ulp.ts";

const floats = (...values: number[]): StageArray => arrayOfFloats(Float32Array.from(values));
const bytes = (...values: number[]): StageArray => ({
  dtype: "|u1",
  shape: [values.length],
  data: Uint8Array.from(values),
});
const TINY = 2 ** -149;

describe("arrays differ when", () => {
  test("their shapes do, and both are named", () => {
    const wide: StageArray = { ...bytes(1, 2, 3, 4), shape: [1, 4] };
    expect(compareArrays(wide, { ...wide, shape: [2, 2] })).toEqual({
      kind: "shape-mismatch",
      equal: false,
      ours: { dtype: "|u1", shape: [1, 4] },
      reference: { dtype: "|u1", shape: [2, 2] },
    });
  });

  test("their types do", () => {
    expect(compareArrays(bytes(1), floats(1))).toMatchObject({ kind: "shape-mismatch", equal: false });
  });

  test("one byte does", () => {
    expect(compareArrays(bytes(9, 10, 14, 0), bytes(9, 12, 10, 0))).toMatchObject({
      equal: false,
      differing: 2,
      total: 4,
      first: 1,
      largest: 4,
      mean: 1.5,
      ulp: null,
    });
  });

  test("one bit of a float does", () => {
    const next = float32At(0x3f_80_00_01);
    const found = compareArrays(floats(1, 1), floats(1, next));
    expect(found).toMatchObject({ equal: false, differing: 1, ulp: 1, largest: 2 ** -23 });
  });

  test("only the sign of a zero does, though no amount differs", () => {
    const found = compareArrays(floats(0), floats(-0));
    expect(found).toMatchObject({ equal: false, differing: 1, ulp: 0, largest: 0 });
  });

  test("one side is NaN, and the largest difference says so", () => {
    const found = compareArrays(floats(1, 2, 5), floats(1, Number.NaN, 3));
    expect(found).toMatchObject({ equal: false, differing: 2, largest: Number.NaN, ulp: Infinity });
  });

  test("one place of an order does, and no amount is made of it", () => {
    const found = compareArrays(arrayOfIntegers([3, 1, 2]), arrayOfIntegers([3, 2, 1]));
    expect(found).toMatchObject({ differing: 2, first: 1, largest: null, cosine: null, ulp: null });
  });

  test("one label does, or one is missing", () => {
    expect(compareLabels(["cat", "dog"], ["cat", "Dog"])).toMatchObject({ differing: 1, first: 1 });
    expect(compareLabels(["cat"], ["cat", "dog"])).toMatchObject({ differing: 1, first: 1, total: 2 });
  });
});

describe("arrays are equal when", () => {
  test("every bit is, NaN and infinities too", () => {
    const odd = floats(Number.NaN, Infinity, -Infinity, -0, 1);
    const found = compareArrays(odd, floats(Number.NaN, Infinity, -Infinity, -0, 1));
    expect(found).toMatchObject({ equal: true, differing: 0, first: null, largest: 0, mean: 0, ulp: 0 });
  });

  test("both are empty", () => {
    expect(compareArrays(floats(), floats())).toMatchObject({ equal: true, mean: 0, cosine: 1 });
  });
});

describe("the cosine is", () => {
  test.each([
    ["1 for equal arrays, without rounding", [0.1, 0.2, 0.7], [0.1, 0.2, 0.7], 1],
    ["1 for two zero arrays", [0, 0], [0, 0], 1],
    ["0 for a zero array and another", [0, 0], [0, 1], 0],
    ["0 for a right angle", [1, 0], [0, 1], 0],
    ["-1 for opposite ones", [1, 2], [-1, -2], -1],
  ])("%s", (_, ours, reference, expected) => {
    const found = compareArrays(floats(...ours), floats(...reference));
    expect(found.kind === "values" && found.cosine).toBeCloseTo(expected, 12);
  });
});

describe("the distance in float32 steps", () => {
  test.each([
    ["is 0 for the two zeros", 0, -0, 0],
    ["is 1 from zero to the smallest number", 0, TINY, 1],
    ["counts on through zero", -TINY, TINY, 2],
    ["is 1 between neighbours, at any size", 2 ** 100, float32At(0x71_80_00_01), 1],
    ["is 1 from the largest number to infinity", float32At(LARGEST_PLACE), Infinity, 1],
    ["is 2^24 from 1 to 4", 1, 4, 2 ** 24],
    ["is the same for negative numbers", -1, -4, 2 ** 24],
    ["is 0 between NaNs", Number.NaN, Number.NaN, 0],
    ["is infinite to NaN", 1, Number.NaN, Infinity],
  ])("%s", (_, a, b, expected) => {
    expect(ulpDistance(a, b)).toBe(expected);
    expect(ulpDistance(b, a)).toBe(expected);
  });
});
