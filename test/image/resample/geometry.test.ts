import { afterAll, describe, expect, it } from "vitest";
import { cropOffset, cropSize, resizedSize } from "../../../src/image/resample/geometry.ts";
import { Oracle } from "../oracle.ts";
import { Random } from "../random.ts";

const oracle = new Oracle();
afterAll(() => oracle[Symbol.asyncDispose]());

const sizes = Array.from({ length: 2000 }, (_, i) => i + 1);

describe("where the crop starts", () => {
  it.each([224, 1, 255])(
    "is Python's round half to even for every size from 1 to 2000 and crop %i",
    async (crop) => {
      const larger = sizes.filter((size) => size >= crop);
      const { offsets } = await oracle.geometry({ crop, sizes: larger });
      expect(larger.map((size) => cropOffset(size, crop))).toEqual(offsets);
    },
  );

  it("is negative by the rows of black that torchvision puts before a smaller picture", () => {
    expect(cropOffset(100, 224)).toBe(-62);
    expect(cropOffset(101, 224)).toBe(-61);
  });

  it("belongs to a square or to a height and a width", () => {
    expect(cropSize({ crop: 224 })).toEqual({ width: 224, height: 224 });
    expect(cropSize({ crop: [96, 320] })).toEqual({ width: 320, height: 96 });
  });
});

describe("the size after the resize", () => {
  it.each([256, 232, 1, 255])("has Python's int(%i * long / short) as its longer side", async (resize) => {
    const random = new Random(resize);
    const pairs = Array.from({ length: 5000 }, () => {
      const short = random.integer(1, random.pick([10, 300, 5000]));
      return [short, random.integer(short, short * random.pick([2, 50]))] as const;
    });
    const { longs } = await oracle.geometry({ resize, pairs });
    expect(pairs.map(([short, long]) => resizedSize(long, short, resize).width)).toEqual(longs);
    expect(pairs.map(([short, long]) => resizedSize(short, long, resize).height)).toEqual(longs);
  });

  it("is the height and the width, where both are given", () => {
    expect(resizedSize(700, 33, [96, 320])).toEqual({ width: 320, height: 96 });
  });

  it("keeps a square a square", () => {
    expect(resizedSize(700, 700, 256)).toEqual({ width: 256, height: 256 });
  });
});
