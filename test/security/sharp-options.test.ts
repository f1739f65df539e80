/** The limits that every picture is decoded under, as sharp gets them: behind the header checks no picture shows them. */
import { readFileSync } from "node:fs";
import { expect, test, vi } from "vitest";
import type { Sharp, SharpOptions } from "sharp";
import { decode } from "../../src/image/decode/decode.ts";
import { DEFAULT_LIMITS } from "../../src/image/source/limits.ts";

const given = vi.hoisted(() => [] as unknown[]);

vi.mock("sharp", async (original) => {
  const { default: real } = await original<{ default: (input: Buffer, options: SharpOptions) => Sharp }>();
  const watched = (input: Buffer, options: SharpOptions): Sharp => {
    given.push(options);
    return real(input, options);
  };
  return { default: Object.assign(watched, real) };
});

test("sharp refuses warnings, more pixels than the limit and more than one page", async () => {
  const picture = readFileSync(new URL("../../examples/images/dog.webp", import.meta.url));
  await decode(new Uint8Array(picture));
  expect(given).toEqual([
    { ignoreIcc: true, failOn: "warning", limitInputPixels: DEFAULT_LIMITS.pixels, pages: 1 },
  ]);
});
