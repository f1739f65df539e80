/** sharp's settings hold for a process: closed in our own, untouched in an application's. */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import sharp from "sharp";
import { expect, test } from "vitest";
import { createClassifier } from "../../../src/classification/classifier.ts";
import { STANDIN } from "../../standin.ts";

const IMAGE = fileURLToPath(new URL("../../../examples/images/landscape.jpg", import.meta.url));
const WORK = new URL("../../../dist/image/process/work.js", import.meta.url).href;
const SHARP = import.meta.resolve("sharp");
const SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"/>';

/** What a process that is a decoder of the server says when sharp is given these bytes, or this path. */
function inDecoder(input: string): string {
  const source = `
    await import(${JSON.stringify(WORK)});
    const { default: sharp } = await import(${JSON.stringify(SHARP)});
    const said = await sharp(${input}).raw().toBuffer().then(() => "opened", (error) => error.message);
    process.stdout.write(said, () => process.exit(0));`;
  return spawnSync(process.execPath, ["--input-type=module", "-e", source], {
    encoding: "utf8",
    timeout: 200_000,
  }).stdout;
}

const DOT = { create: { width: 1, height: 1, channels: 3 as const, background: "red" } };

test.each<[string, () => Promise<Buffer>]>([
  ["GIF", () => sharp(DOT).gif().toBuffer()],
  ["TIFF", () => sharp(DOT).tiff().toBuffer()],
  ["AVIF", () => sharp(DOT).avif().toBuffer()],
  ["SVG", async () => Buffer.from(SVG)],
])("the loader for %s is blocked in a decoder process, whatever reaches it", async (_, make) => {
  const base64 = (await make()).toString("base64");
  expect(inDecoder(`Buffer.from("${base64}", "base64")`)).toMatch(/unsupported|blocked/);
});

test("a decoder process opens a JPEG from memory, and no file by its path", () => {
  const file = JSON.stringify(IMAGE);
  expect(inDecoder(`(await import("node:fs")).readFileSync(${file})`)).toBe("opened");
  expect(inDecoder(file)).toMatch(/unsupported|blocked/);
});

test("an application's own sharp opens after a call what it opened before, with its own settings", async () => {
  const gif = await sharp(DOT).gif().toBuffer();
  const opens = async (): Promise<unknown> => ({
    gif: (await sharp(gif).metadata()).format,
    svg: (await sharp(Buffer.from(SVG)).metadata()).format,
    tiff: (await sharp(await sharp(gif).tiff().toBuffer()).metadata()).format,
    file: (await sharp(IMAGE).metadata()).format,
    cache: {
      items: sharp.cache().items.max,
      memory: sharp.cache().memory.max,
      files: sharp.cache().files.max,
    },
    concurrency: sharp.concurrency(),
    simd: sharp.simd(),
  });
  const before = await opens();
  const classifier = await createClassifier(STANDIN);
  await classifier.classify(IMAGE);
  expect(await opens()).toEqual(before);
  await classifier.close();
  expect(await opens()).toEqual(before);
});
