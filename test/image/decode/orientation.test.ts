import { describe, expect, it } from "vitest";
import { applyOrientation } from "../../../src/image/decode/orientation.ts";

describe("an orientation", () => {
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
