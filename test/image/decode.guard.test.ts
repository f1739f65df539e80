import sharp from "sharp";
import { expect, test } from "vitest";
import { decoderVersions } from "../../src/image/decode.ts";

const PIXEL_GIF = "R0lGODdhAQABAIAAAP///wAAACwAAAAAAQABAAACAkQBADs=";
const SVG = Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"/>').toString("base64");

test.each([
  ["GIF", PIXEL_GIF],
  ["SVG", SVG],
])("the loader for %s is blocked, whatever reaches it", async (_, base64) => {
  expect(decoderVersions()).toHaveProperty("vips"); // the module that blocks them is loaded
  await expect(sharp(Buffer.from(base64, "base64")).raw().toBuffer()).rejects.toThrow(/unsupported|blocked/);
});
