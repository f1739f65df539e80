import { describe, expect, it } from "vitest";
import { applyOrientation, orientationOf } from "../../src/image/orientation.ts";

const little = "49492a0008000000010012010300010000000600000000000000";
const big = "4d4d002a00000008000101120003000000010008000000000000";
const exif = (hex: string): Uint8Array => Buffer.from(hex, "hex");

describe("an orientation that cannot be read", () => {
  it.each([
    "",
    "4949",
    "0000",
    little.slice(0, 20),
    little.replace("0600", "0900"),
    little.replace("0600", "0000"),
  ])("counts as upright: %j", (hex) => expect(orientationOf({ exif: exif(hex) })).toBe(1));
});

describe("an orientation", () => {
  it("is read in both byte orders, with and without the Exif prefix", () => {
    expect(orientationOf({ exif: exif(little) })).toBe(6);
    expect(orientationOf({ exif: exif(big) })).toBe(8);
    expect(orientationOf({ exif: exif(`457869660000${little}`) })).toBe(6);
  });

  it("is taken from XMP when EXIF has none", () => {
    expect(orientationOf({ xmpOrientation: 3 })).toBe(3);
    expect(orientationOf({ exif: exif(little), xmpOrientation: 3 })).toBe(6);
  });

  it("moves the pixels", () => {
    const pixels = { data: Uint8Array.of(1, 1, 1, 2, 2, 2), width: 2, height: 1 };
    expect(applyOrientation(pixels, 1)).toBe(pixels);
    expect(applyOrientation(pixels, 2)).toEqual({
      data: Uint8Array.of(2, 2, 2, 1, 1, 1),
      width: 2,
      height: 1,
    });
    expect(applyOrientation(pixels, 6)).toEqual({
      data: Uint8Array.of(1, 1, 1, 2, 2, 2),
      width: 1,
      height: 2,
    });
  });
});
