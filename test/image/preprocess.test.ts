import { readFile } from "node:fs/promises";
import { afterAll, describe, expect, it } from "vitest";
import { decode } from "../../src/image/decode/decode.ts";
import { preprocessPixels, preprocessStages } from "../../src/image/preprocess.ts";
import type { Pixels } from "../../src/image/resample/geometry.ts";
import { normalize, pixelsToTensor, toTensor } from "../../src/image/tensor.ts";
import { Oracle } from "./oracle.ts";
import { bytesOf, differences, Random, SPEC_V1, SPEC_V2 } from "./random.ts";

const oracle = new Oracle();
afterAll(() => oracle[Symbol.asyncDispose]());

const EXAMPLES = new URL("../../examples/images/", import.meta.url);

describe("preprocessing against torchvision's transforms", () => {
  const random = new Random(77);
  const sizes = [
    [1, 1],
    [640, 480],
    [224, 224],
    [256, 256],
    [255, 257],
    [1280, 720],
    [300, 1000],
  ] as const;

  it.each(sizes)("gives every stage the same bits for %i x %i", async (width, height) => {
    const pixels = random.pixels(width, height);
    for (const spec of [SPEC_V1, SPEC_V2, { ...SPEC_V1, interpolation: "bicubic" } as const]) {
      const want = await oracle.stages(pixels, spec);
      const got = preprocessStages(pixels, spec);
      expect(differences(got.resized.data, want.resized)).toBe(0);
      expect(differences(got.cropped.data, want.cropped)).toBe(0);
      expect(differences(bytesOf(got.toTensor.data), want.toTensor)).toBe(0);
      expect(differences(bytesOf(got.normalized.data), want.normalized)).toBe(0);
      const tensor = preprocessPixels(pixels, spec);
      expect(tensor.shape).toEqual([1, 3, 224, 224]);
      expect(differences(bytesOf(tensor.data), want.normalized)).toBe(0);
    }
  });

  it.each(["landscape.jpg", "fruit.png", "dog.webp", "balloons.jpg"])(
    "gives %s the same bits",
    async (name) => {
      const bytes = new Uint8Array(await readFile(new URL(name, EXAMPLES)));
      for (const spec of [SPEC_V1, SPEC_V2]) {
        const want = await oracle.stages(bytes, spec);
        const tensor = preprocessPixels(await decode(bytes), spec);
        expect(differences(bytesOf(tensor.data), want.normalized)).toBe(0);
      }
    },
  );
});

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
