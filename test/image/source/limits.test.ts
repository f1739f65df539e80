/** Small files that would keep a decoder busy for long are refused by their headers; what pictures have is admitted. */
import { readFileSync, readdirSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { cpuClock } from "../../cpu.ts";
import { IsotorchError } from "../../../src/base/errors.ts";
import { readHeader } from "../../../src/image/format.ts";
import type { PartialLimits } from "../../../src/image/source/limits.ts";
import { chunk, packedText, png, pngOfSize } from "../../security/bombs.ts";
import {
  extension,
  gifOf,
  icoOf,
  jp2Of,
  jpegOfScans,
  pngOf,
  segment,
  tiffOf,
  times,
  webpOf,
} from "../../security/parts.ts";

const PHOTO = readFileSync(new URL("../../../examples/images/landscape.jpg", import.meta.url));
const text = (body: string): Uint8Array => new Uint8Array(Buffer.from(body, "latin1"));

/** A photograph with something behind its first two bytes. */
function photoWith(before: Buffer): Uint8Array {
  return new Uint8Array(Buffer.concat([PHOTO.subarray(0, 2), before, PHOTO.subarray(2)]));
}

function refusalOf(bytes: Uint8Array, limits: PartialLimits = {}): unknown {
  try {
    return readHeader(bytes, limits);
  } catch (error) {
    return error;
  }
}

const resources = Buffer.concat([
  Buffer.from("Photoshop 3.0\0", "latin1"),
  times(5_000, Buffer.from("3842494d0001000000000000", "hex")),
]);
const exif = segment(0xe1, Buffer.from("Exif\0\0II*\0\x08\0\0\0\0\0\0\0\0\0", "latin1"));

/** Each beyond a limit's default by little, or by much. */
const CHUNKS: readonly (readonly [string, () => Uint8Array])[] = [
  ["JPEG with 100,000 application segments", () => photoWith(times(100_000, segment(0xef, Buffer.alloc(1))))],
  ["JPEG with 100,000 comments", () => photoWith(times(100_000, segment(0xfe, Buffer.alloc(9))))],
  ["JPEG with 100,000 blocks of EXIF", () => photoWith(times(100_000, exif))],
  [
    "JPEG with 100,000 parts of a profile",
    () => photoWith(times(100_000, segment(0xe2, Buffer.from("ICC_PROFILE\0\x01\x01", "latin1")))),
  ],
  ["JPEG with a million fill bytes before its frame", () => photoWith(Buffer.alloc(1_000_000, 0xff))],
  ["JPEG with 500,000 resources of Photoshop", () => photoWith(times(100, segment(0xed, resources)))],
  [
    "JPEG with 100,000 comments between its scans",
    () => jpegOfScans({ scans: 2, between: times(100_000, segment(0xfe, Buffer.alloc(1))) }),
  ],
  ["GIF with a comment of 1,000,000 parts", () => gifOf(extension(0xfe, 1_000_000, 1))],
  ["GIF with a comment of 5,000 long parts", () => gifOf(extension(0xfe, 5_000, 255))],
  ["GIF with 100,000 comments", () => gifOf(times(100_000, extension(0xfe, 1, 1)))],
  ["GIF with an application's 1,000,000 parts", () => gifOf(extension(0xff, 1_000_000, 1))],
  ["GIF with a million bytes that are no block", () => gifOf(Buffer.alloc(1_000_000))],
  ["GIF that ends in its comment", () => gifOf(extension(0xfe, 5_000, 1)).subarray(0, 10_000)],
  ["PNG with 100,000 texts", () => pngOf(100_000, "tEXt", Buffer.from("Title\0abc"))],
  ["PNG with 10,000 compressed texts", () => pngOf(10_000, "zTXt", packedText("zTXt", 100))],
  ["PNG with 100,000 chunks of a clock", () => pngOf(100_000, "tIME", Buffer.alloc(7))],
  ["PNG with a million chunks of 2 bytes of data", () => pngOf(1_000_000, "IDAT", Buffer.alloc(2))],
  ["PNG with 100,000 empty chunks of data", () => pngOf(100_000, "IDAT", Buffer.alloc(0))],
  ["animated PNG of 100,000 frames", () => pngOf(100_000, "fcTL", Buffer.alloc(26))],
  ["animated PNG of 100,000 small pieces", () => pngOf(100_000, "fdAT", Buffer.alloc(5))],
  ["PNG of chunks that are no chunks", () => pngOf(100_000, "a1b2", Buffer.alloc(0))],
  ["WebP of 100,000 frames", () => webpOf(100_000, "ANMF")],
  ["WebP of 100,000 frames with a byte behind them", () => webpOf(100_000, "ANMF", 1)],
  ["WebP of 100,000 chunks that nobody knows", () => webpOf(100_000, "abcd")],
  ["ICO of 65,535 pictures", () => icoOf(65_535)],
  ["TIFF of 300,000 strips", () => tiffOf(300_000)],
  ["BigTIFF of 300,000 strips", () => tiffOf(300_000, true)],
  ["JPEG 2000 of 100,000 boxes", () => jp2Of(100_000)],
  ["PPM with 100,000 comments in its numbers", () => text(`P3\n1 1\n255\n${"#\n".repeat(100_000)}0 0 0`)],
  ["PPM with a comment of 5 MB", () => text(`P6\n#${"a".repeat(5e6)}\n1 1\n255\nabc`)],
  [
    "PPM with a comment of 5 MB before its largest value",
    () => text(`P6\n1 1\n#${"a".repeat(5e6)}\n255\nabc`),
  ],
  ["PPM with 5 MB of spaces", () => text(`P6${" ".repeat(5e6)}1 1\n255\nabc`)],
];

describe("more parts than pictures have are refused by the header:", () => {
  test.each(CHUNKS)("%s", (_, make) => {
    const bytes = make();
    const clock = cpuClock();
    expect(refusalOf(bytes)).toMatchObject({
      code: "INPUT_TOO_LARGE",
      message: expect.stringMatching(/^The file has more than 4096 [^.]+\.$/),
      hint: expect.stringContaining("Raise `limits.chunks` (`--max-chunks`)"),
    });
    // No more is looked at than what is admitted.
    expect(clock.ms).toBeLessThan(2_000);
  });

  test.each(CHUNKS)("%s, but for a limit that admits them", (_, make) => {
    expect(refusalOf(make(), { chunks: 1e9 })).not.toBeInstanceOf(IsotorchError);
  });
});

describe("a JPEG of many scans", () => {
  const scans = (count: number, width = 64, height = 64) => jpegOfScans({ scans: count, width, height });

  test.each([
    ["2,000 of them", () => scans(2_000)],
    ["101", () => scans(101)],
    ["101 in a file that is cut off", () => scans(101).subarray(0, -2)],
    [
      "101 behind a segment that leaves it to Pillow",
      () => photoScans(segment(0xe1, Buffer.from("Exif\0\0odd"))),
    ],
    ["a million", () => scans(1_000_000)],
  ])("is refused by the header: %s", (_, make) => {
    const bytes = make();
    const clock = cpuClock();
    expect(refusalOf(bytes)).toMatchObject({
      code: "INPUT_TOO_LARGE",
      message: "The JPEG has more than 100 scans.",
      hint: expect.stringContaining("Raise `limits.scans` (`--max-scans`)"),
    });
    expect(clock.ms).toBeLessThan(2_000);
  });

  function photoScans(before: Buffer): Uint8Array {
    return jpegOfScans({ scans: 101, before });
  }

  test("is admitted up to the limit", () => {
    expect(refusalOf(scans(100))).toMatchObject({ doubt: undefined, kind: "jpeg-grey-progressive" });
    expect(refusalOf(scans(300), { scans: 300 })).toMatchObject({ doubt: undefined });
    expect(refusalOf(scans(300), { scans: 299 })).toMatchObject({ code: "INPUT_TOO_LARGE" });
  });

  test("may have fewer the more pixels each of them goes over", () => {
    const limits = { pixels: 16_000_000 };
    expect(refusalOf(scans(20, 4_000, 4_000), limits)).toMatchObject({ width: 4_000, doubt: undefined });
    expect(refusalOf(scans(21, 4_000, 4_000), limits)).toMatchObject({
      code: "INPUT_TOO_LARGE",
      message: "The JPEG has more than 20 scans of 16000000 pixels each.",
      hint: expect.stringContaining("`limits.pixels` (`--max-pixels`)"),
    });
    expect(refusalOf(scans(40, 4_000, 2_000), limits)).toMatchObject({ height: 2_000 });
  });

  test("is counted to its end marker: pictures behind it are nobody's", () => {
    const behind = Buffer.concat([Buffer.from("ffd9", "hex"), times(1_000, segment(0xda, Buffer.alloc(6)))]);
    expect(refusalOf(jpegOfScans({ scans: 2, end: behind }))).not.toBeInstanceOf(IsotorchError);
  });
});

describe("a side", () => {
  test.each([
    [1, 50_000_000],
    [50_000_000, 1],
    [2, 250_001],
  ])("of %i × %i is refused by the header", (width, height) => {
    expect(refusalOf(pngOfSize(width, height))).toMatchObject({
      code: "INPUT_TOO_LARGE",
      message: `The picture has ${width} × ${height} pixels, a side of more than 250000.`,
      hint: expect.stringContaining("Raise `limits.side` (`--max-side`)"),
    });
  });

  test("of 1 × 65,500 is admitted, and of more where that is asked for", () => {
    expect(refusalOf(pngOfSize(1, 65_500))).toMatchObject({ height: 65_500 });
    expect(refusalOf(pngOfSize(1, 250_000))).toMatchObject({ height: 250_000 });
    expect(refusalOf(pngOfSize(1, 400_000), { side: 400_000 })).toMatchObject({ height: 400_000 });
    expect(refusalOf(pngOfSize(1, 400_000), { side: 399_999 })).toMatchObject({ code: "INPUT_TOO_LARGE" });
  });
});

describe("what pictures have is admitted:", () => {
  test("the examples and the pictures of the attestation, with limits that are a hundredth", () => {
    for (const folder of ["../../../examples/images/", "../../../models/attestation/"]) {
      const at = new URL(folder, import.meta.url);
      for (const name of readdirSync(at).filter((one) => !one.endsWith(".json"))) {
        const limits = { chunks: 60, scans: 20, side: 10_000 };
        expect(refusalOf(readFileSync(new URL(name, at)), limits), name).not.toBeInstanceOf(IsotorchError);
      }
    }
  });

  test.each<[string, () => Uint8Array]>([
    ["PNG of 100,000 chunks of 1 KiB", () => pngOf(100_000, "IDAT", Buffer.alloc(1_024))],
    ["PNG of 4,000 chunks of 9 bytes", () => pngOf(4_000, "IDAT", Buffer.alloc(9))],
    ["JPEG of 4,000 segments", () => photoWith(times(4_000, segment(0xef, Buffer.alloc(9))))],
    ["GIF with 1 MB of comment", () => gifOf(extension(0xfe, 4_000, 255))],
    ["WebP of 4,000 frames", () => webpOf(4_000, "ANMF")],
    ["ICO of 256 pictures", () => icoOf(256)],
    ["TIFF of 4,000 strips", () => tiffOf(4_000)],
    ["PPM with a long comment", () => text(`P6\n#${"a".repeat(1e5)}\n1 1\n255\nabc`)],
    [
      "PNG with a chunk behind its end",
      () => Buffer.concat([png(), times(9_000, chunk("tEXt", Buffer.alloc(1)))]),
    ],
  ])("%s", (_, make) => {
    expect(refusalOf(make())).not.toBeInstanceOf(IsotorchError);
  });
});
