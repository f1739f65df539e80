import { afterAll, describe, expect, it } from "vitest";
import { type CoefficientSource, pillowCoefficients } from "../../../src/image/resample/coefficients.ts";
import {
  type InputSpec,
  type Interpolation,
  cropOffset,
  cropSize,
  resizedSize,
  type Sides,
} from "../../../src/image/resample/geometry.ts";
import { centerCrop, resize, resizeAndCrop } from "../../../src/image/resample/resample.ts";
import { Oracle } from "../oracle.ts";
import { differences, Random, SPEC_V1 } from "../random.ts";

const oracle = new Oracle();
afterAll(() => oracle[Symbol.asyncDispose]());

const FILTERS: readonly Interpolation[] = ["nearest", "bilinear", "bicubic"];

const wrong: CoefficientSource = (...request) => {
  const right = pillowCoefficients(...request);
  right.weights[right.taps * 3] = Math.round(right.weights[right.taps * 3]! * 0.999) - 4096;
  return right;
};

describe("a wrong coefficient", () => {
  it("is seen: one weight that is off by 1 in 1,000 changes the picture", () => {
    const pixels = new Random(5).pixels(640, 480);
    const good = resizeAndCrop(pixels, SPEC_V1);
    const bad = resizeAndCrop(pixels, SPEC_V1, { coefficients: wrong });
    expect(differences(good.data, bad.data)).toBeGreaterThan(0);
  });
});

describe("resize and crop against Pillow", () => {
  const random = new Random(20_240_601);
  const side = (): number =>
    random.pick([random.integer(1, 8), random.integer(1, 300), random.integer(200, 700)]);

  it("give the same bytes in 500 random cases, fused and stage by stage", async () => {
    for (let number = 0; number < 500; number++) {
      let [width, height] = [side(), side()];
      // Pillow makes the whole resized picture: keep that within reason.
      const most = Math.min(width, height) * 20;
      [width, height] = [Math.min(width, most), Math.min(height, most)];
      const interpolation = random.pick(FILTERS);
      const to = random.pick([256, 232, 256, 224, random.integer(1, 300)]);
      const crop = random.pick([Math.min(224, to), random.integer(1, to)]);
      const pixels = random.pixels(width, height);
      const size = resizedSize(width, height, to);
      const left = cropOffset(size.width, crop);
      const top = cropOffset(size.height, crop);
      const want = await oracle.resize(pixels, size, interpolation, [left, top, left + crop, top + crop]);

      const what = `case ${number}: ${width}x${height} -> ${to} -> ${crop} ${interpolation}`;
      const fused = resizeAndCrop(pixels, { resize: to, crop, interpolation });
      expect(differences(fused.data, want.data), what).toBe(0);
      if (number % 5 !== 0) continue;
      const staged = centerCrop(resize(pixels, size, interpolation), cropSize({ crop }));
      expect(differences(staged.data, want.data), `${what}, staged`).toBe(0);
    }
  });

  it("give the same bytes when both sides change by ratios of their own", async () => {
    for (const interpolation of FILTERS) {
      for (let number = 0; number < 40; number++) {
        const pixels = random.pixels(random.integer(1, 90), random.integer(1, 90));
        const size = { width: random.integer(1, 120), height: random.integer(1, 120) };
        const want = await oracle.resize(pixels, size, interpolation);
        expect(differences(resize(pixels, size, interpolation).data, want.data)).toBe(0);
      }
    }
  });

  it.each([
    [100, 80, { resize: 100, crop: 224 }],
    [60, 300, { resize: 101, crop: 224 }],
    [300, 61, { resize: 100, crop: 223 }],
    [101, 101, { resize: 101, crop: 224 }],
  ])(
    "pad a picture that is smaller than the crop as torchvision does: %i x %i %o",
    async (width, height, sizes) => {
      const spec: InputSpec = { ...SPEC_V1, ...sizes };
      const pixels = random.pixels(width, height);
      const want = await oracle.stages(pixels, spec);
      expect(differences(resizeAndCrop(pixels, spec).data, want.cropped)).toBe(0);
    },
  );
});

describe("heights and widths against torchvision", () => {
  const random = new Random(31);
  const sides = (): Sides =>
    random.pick([random.integer(1, 70), [random.integer(1, 70), random.integer(1, 70)]]);

  it.each(FILTERS)(
    "give the same bytes in 60 random cases, with black around and without: %s",
    async (by) => {
      const kinds = { square: 0, rectangle: 0, padded: 0 };
      for (let number = 0; number < 60; number++) {
        const pixels = random.pixels(random.integer(1, 80), random.integer(1, 80));
        const spec: InputSpec = { ...SPEC_V1, resize: sides(), crop: sides(), interpolation: by };
        const { width, height } = resizedSize(pixels.width, pixels.height, spec.resize);
        const crop = cropSize(spec);
        kinds[typeof spec.crop === "number" ? "square" : "rectangle"]++;
        if (crop.width > width && crop.height > height) kinds.padded++;
        const want = await oracle.stages(pixels, spec);
        const what = `case ${number}: ${pixels.width}x${pixels.height} ${JSON.stringify(spec)}`;
        expect(differences(resizeAndCrop(pixels, spec).data, want.cropped), what).toBe(0);
        const resized = resize(pixels, { width, height }, by);
        expect(differences(resized.data, want.resized), what).toBe(0);
        expect(differences(centerCrop(resized, crop).data, want.cropped), what).toBe(0);
      }
      for (const count of Object.values(kinds)) expect(count).toBeGreaterThan(4);
    },
  );
});

describe("sizes at the edge", () => {
  it.each([
    [1, 5000],
    [5000, 1],
    [1, 65_500],
    [65_500, 1],
  ])("a picture of %i x %i is cropped without making all of it", (width, height) => {
    const pixels = new Random(3).pixels(width, height);
    const before = process.memoryUsage().arrayBuffers;
    const { data } = resizeAndCrop(pixels, SPEC_V1);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(50e6);
    expect(data.length).toBe(224 * 224 * 3);
  });

  it("a picture of the right size is not touched", () => {
    const pixels = new Random(4).pixels(256, 300);
    expect(resize(pixels, { width: 256, height: 300 }, "bilinear")).toBe(pixels);
    expect(resizeAndCrop(pixels, SPEC_V1)).toEqual(centerCrop(pixels, cropSize(SPEC_V1)));
  });
});
