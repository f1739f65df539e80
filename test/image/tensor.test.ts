import { afterAll, describe, expect, it } from "vitest";
import type { Pixels } from "../../src/image/resample/geometry.ts";
import { normalize, pixelsToTensor, toTensor } from "../../src/image/tensor.ts";
import { Oracle } from "./oracle.ts";
import { bytesOf, differences, SPEC_V1 } from "./random.ts";

const oracle = new Oracle();
afterAll(() => oracle[Symbol.asyncDispose]());

/** A 16 x 16 picture with every value in every channel. */
const ramp: Pixels = {
  data: Uint8Array.from({ length: 768 }, (_, i) => Math.floor(i / 3)),
  width: 16,
  height: 16,
};

const specs = [
  { ...SPEC_V1, resize: 16, crop: 16 },
  { ...SPEC_V1, resize: 16, crop: 16, mean: [0.5, 0.1, 0.9], std: [0.5, 1 / 3, 0.0071] },
];

describe("the 3 x 256 values", () => {
  it.each(specs)("have torchvision's bits, by table and step by step", async (spec) => {
    const want = await oracle.stages(ramp, spec);
    expect(differences(bytesOf(toTensor(ramp).data), want.toTensor)).toBe(0);
    expect(differences(bytesOf(normalize(toTensor(ramp), spec).data), want.normalized)).toBe(0);
    expect(differences(bytesOf(pixelsToTensor(ramp, spec).data), want.normalized)).toBe(0);
  });

  it("stand in channel order in the shape that the network takes", () => {
    const tensor = pixelsToTensor({ data: Uint8Array.of(0, 0, 0, 255, 0, 0), width: 2, height: 1 }, SPEC_V1);
    expect(tensor.shape).toEqual([1, 3, 1, 2]);
    expect(tensor.data[1]).toBeGreaterThan(2);
    expect(tensor.data[0]).toBeLessThan(0);
    expect(toTensor(ramp).shape).toEqual([3, 16, 16]);
  });
});
