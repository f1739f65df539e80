import { readFile } from "node:fs/promises";
import { afterAll, describe, expect, it } from "vitest";
import { decode } from "../../src/image/decode/decode.ts";
import { preprocessPixels, preprocessStages } from "../../src/image/preprocess.ts";
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
