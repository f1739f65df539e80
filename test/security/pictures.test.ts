/** Hostile pictures: nothing but the bytes of a JPEG, PNG or WebP of bearable size reaches a decoder. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import sharp from "sharp";
import { describe, expect, test } from "vitest";
import { cpuClock } from "../cpu.ts";
import { decode } from "../../src/image/decode/decode.ts";
import { readHeader } from "../../src/image/format.ts";
import { loadImage } from "../../src/image/source/source.ts";
import { chunk, jpegOfSize, packedText, png, pngOfSize, webpOfSize } from "./bombs.ts";
import { PYTHON } from "../python.ts";

const EXAMPLES = new URL("../../examples/images/", import.meta.url);
const MIB = 1024 * 1024;

const refused = (bytes: Uint8Array): Promise<unknown> =>
  decode(bytes).then(
    () => ({ code: "decoded" }),
    (error: unknown) => error,
  );

/** How much the process has grown at its largest since the start of `work`, bytes. */
async function growth(work: () => Promise<unknown>): Promise<number> {
  const before = process.memoryUsage.rss();
  let most = before;
  const watch = setInterval(() => (most = Math.max(most, process.memoryUsage.rss())), 1);
  await work();
  clearInterval(watch);
  return Math.max(most, process.memoryUsage.rss()) - before;
}

describe("what is no picture is refused by its first bytes, before sharp sees it:", () => {
  const svg = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>';
  const others: [string, string | Buffer][] = [
    ["SVG", svg],
    ["SVG behind an XML head", `<?xml version="1.0"?>${svg}`],
    ["PDF", "%PDF-1.7\n"],
    ["HTML", "<!doctype html><p>404"],
    ["AVIF", Buffer.from("\0\0\0\x1cftypavif\0\0\0\0avifmif1", "latin1")],
    ["HEIC", Buffer.from("\0\0\0\x18ftypheic\0\0\0\0heicmif1", "latin1")],
    ["JPEG XL", Buffer.from("ff0a7f00", "hex")],
    ["a pickle", Buffer.from("80049500", "hex")],
    ["MATLAB", `MATLAB 5.0 MAT-file${" ".repeat(200)}`],
    ["OpenEXR", Buffer.from("762f310102000000", "hex")],
    ["FITS", `SIMPLE  =                    T${" ".repeat(200)}`],
    ["Radiance", "#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 1 +X 1\n"],
    ["ImageMagick's own", "id=ImageMagick\n"],
    ["a polyglot whose JPEG comes second", Buffer.concat([Buffer.from("GARBAGE"), jpegOfSize(8, 8)])],
  ];
  test.each(others)("%s", async (_, content) => {
    expect(await refused(new Uint8Array(Buffer.from(content)))).toMatchObject({ code: "UNSUPPORTED_FORMAT" });
  });

  test("pictures that Pillow alone reads are not decoded in this process", async () => {
    const heads = ["GIF89a\x01\0\x01\0\0\0\0;", "II*\0\x08\0\0\0\0\0\0\0\0\0", "P6 1 1 255\nabc"];
    for (const head of heads) {
      const error = await refused(new Uint8Array(Buffer.from(head, "latin1")));
      expect(error).toMatchObject({ code: expect.stringMatching(/^(UNSUPPORTED_FORMAT|DECODE_FAILED)$/) });
    }
  });
});

describe("a damaged picture is refused, not guessed:", () => {
  test("a JPEG whose scan is cut off in the middle", async () => {
    const whole = new Uint8Array(readFileSync(new URL("landscape.jpg", EXAMPLES)));
    expect(await refused(whole.subarray(0, whole.length >> 1))).toMatchObject({ code: "DECODE_FAILED" });
  });

  test("a JPEG with rubbish between its markers, which libjpeg only warns of: Pillow has the word on it", async () => {
    const whole = readFileSync(new URL("landscape.jpg", EXAMPLES));
    const tables = whole.indexOf(Buffer.from("ffc4", "hex"));
    const rubbish = Buffer.concat([whole.subarray(0, tables), Buffer.alloc(64, 1), whole.subarray(tables)]);
    expect(await refused(new Uint8Array(rubbish))).toMatchObject({
      code: "DECODE_FAILED",
      message: expect.stringContaining("stray bytes"),
    });
  });
});

describe("a pixel bomb is refused from its header:", () => {
  const sizes = [
    [14_000, 14_000],
    [65_535, 65_535],
    [13_378, 13_378],
  ] as const;
  const makers = { png: pngOfSize, jpeg: jpegOfSize };
  for (const [format, make] of Object.entries(makers)) {
    test.each(sizes)(`${format} %i x %i`, async (width, height) => {
      const bytes = make(width, height);
      const clock = cpuClock();
      let error: unknown;
      const grown = await growth(async () => (error = await refused(bytes)));
      expect(error).toMatchObject({
        code: "INPUT_TOO_LARGE",
        message: expect.stringContaining(`${width} × `),
      });
      expect(grown).toBeLessThan(100 * MIB);
      expect(clock.ms).toBeLessThan(500);
    });
  }

  test("webp 16,383 x 16,383, the largest that there is", async () => {
    expect(await refused(webpOfSize(16_383, 16_383))).toMatchObject({ code: "INPUT_TOO_LARGE" });
  });

  test("raw pixels that claim more than they may", async () => {
    const pixels = { data: new Uint8Array(3), width: 65_535, height: 65_535, channels: 3 as const };
    await expect(loadImage(pixels)).rejects.toMatchObject({ code: "INPUT_TOO_LARGE" });
  });

  test("sharp keeps the limit too, should a header lie to us", async () => {
    const before = readHeader(pngOfSize(7_000, 7_000));
    expect(before.width * before.height).toBeLessThan(50_000_000);
    await expect(
      sharp(pngOfSize(14_000, 14_000), { limitInputPixels: 50_000_000 }).raw().toBuffer(),
    ).rejects.toThrow(/limit/);
  });

  test("a truncated picture just below the limit costs no more than its pixels", async () => {
    const grown = await growth(() => refused(pngOfSize(7_000, 7_000)));
    expect(grown).toBeLessThan(3 * 7_000 * 7_000 + 100 * MIB);
  });
});

describe("a text bomb in a PNG is left to Pillow, which refuses it, before it is unpacked:", () => {
  test.each(["zTXt", "iTXt", "iCCP"])("%s of 200 MiB", async (name) => {
    const bytes = png(chunk(name, packedText(name, 200 * MIB)));
    expect(bytes.length).toBeLessThan(MIB);
    let error: unknown;
    const grown = await growth(async () => (error = await refused(bytes)));
    expect(error).toMatchObject({
      code: "DECODE_FAILED",
      message: expect.stringContaining(`${name} unpacks to more`),
    });
    expect(grown).toBeLessThan(100 * MIB);
  });

  // Each chunk keeps the limit; all of them together unpack to 20 GiB. Pillow refuses at 64 MiB.
  test("thousands of zTXt of 1 MiB each", async () => {
    const one = chunk("zTXt", packedText("zTXt", MIB));
    const bytes = png(...Array.from({ length: 500 }, () => one));
    const clock = cpuClock();
    expect(await refused(bytes)).toMatchObject({
      code: "DECODE_FAILED",
      message: expect.stringContaining("unpacks to more"),
    });
    expect(clock.ms).toBeLessThan(500);
  });
});

test("an animation is not decoded here", async () => {
  const script =
    "import io, sys\nfrom PIL import Image\n" +
    "frames = [Image.new('RGB', (16, 16), colour) for colour in ('red', 'lime', 'blue')]\n" +
    "frames[0].save(sys.stdout.buffer, 'WEBP', save_all=True, append_images=frames[1:], lossless=True)";
  const bytes = new Uint8Array(execFileSync(PYTHON, ["-c", script]));
  expect(await refused(bytes)).toMatchObject({
    code: "DECODE_FAILED",
    message: expect.stringContaining("animated WebP"),
  });
});
