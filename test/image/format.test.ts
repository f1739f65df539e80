import { crc32, deflateSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { doubtOf, readHeader } from "../../src/image/format.ts";
import { DEFAULT_LIMITS } from "../../src/image/source/limits.ts";
import { decoderFor } from "./route.ts";

function chunk(name: string, body: Uint8Array): Buffer {
  const out = Buffer.alloc(12 + body.length);
  out.writeUInt32BE(body.length, 0);
  out.write(name, 4, "latin1");
  out.set(body, 8);
  out.writeUInt32BE(crc32(out.subarray(4, -4)), out.length - 4);
  return out;
}

function png(width: number, height: number, ...more: Buffer[]): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 2, 0, 0, 0], 8);
  const magic = Buffer.from("89504e470d0a1a0a", "hex");
  return Buffer.concat([magic, chunk("IHDR", header), ...more, chunk("IEND", Buffer.alloc(0))]);
}

/** A quantiser, and a Huffman table of one code for DC and for AC, as segments. */
const TABLES = `ffdb004300${"01".repeat(64)}${["00", "10"].map((slot) => `ffc40014${slot}01${"00".repeat(16)}`).join("")}`;

/** Start, frame header, tables, one scan header, end. */
function jpeg(width: number, height: number, frame = 0xc0, precision = 8): Buffer {
  const out = Buffer.from(`ffd8ffc0000b080000000001011100${TABLES}ffda0008010100003f00aaffd9`, "hex");
  out[3] = frame;
  out[6] = precision;
  out.writeUInt16BE(height, 7);
  out.writeUInt16BE(width, 9);
  return out;
}

const text = (key: string, body: Buffer): Buffer =>
  Buffer.concat([Buffer.from(`${key}\0\0`), deflateSync(body)]);

describe("a pixel bomb is refused from its header", () => {
  const gif = Buffer.from("GIF89a\xff\xff\xff\xff\0\0\0", "latin1");
  const ppm = Buffer.from("P6 # a comment\n65535 65535 255\n");
  const tiff = Buffer.alloc(34);
  tiff.write("II*\0\x08\0\0\0\x02\0", "latin1");
  [256, 257].forEach((tag, i) => {
    tiff.writeUInt16LE(tag, 10 + 12 * i);
    tiff.writeUInt16LE(3, 12 + 12 * i);
    tiff.writeUInt32LE(1, 14 + 12 * i);
    tiff.writeUInt16LE(65_535, 18 + 12 * i);
  });
  const bombs: Record<string, Buffer> = {
    "PNG of 14000 x 14000": png(14_000, 14_000),
    "PNG of 65535 x 65535": png(65_535, 65_535),
    "PNG of 2147483647 x 2147483647": png(0x7fffffff, 0x7fffffff),
    "JPEG of 65500 x 65500": jpeg(65_500, 65_500),
    "GIF of 65535 x 65535": gif,
    "PPM of 65535 x 65535": ppm,
    "TIFF of 65535 x 65535": tiff,
    "WebP of 16383 x 16383": Buffer.from(
      "524946460000000057454250565038580a00000000000000fe3f00fe3f00",
      "hex",
    ),
  };
  it.each(Object.keys(bombs))("%s", (name) => {
    const before = process.memoryUsage().rss;
    expect(() => readHeader(bombs[name]!)).toThrow(
      expect.objectContaining({
        code: "INPUT_TOO_LARGE",
        message: expect.stringContaining(`more than ${DEFAULT_LIMITS.pixels}`),
        hint: expect.stringContaining("--max-pixels"),
      }),
    );
    expect(process.memoryUsage().rss - before).toBeLessThan(100e6);
  });

  it("and a limit of one's own is kept", () => {
    expect(() => readHeader(png(20, 10), { pixels: 199 })).toThrow(/20 × 10 pixels, more than 199/);
    expect(() => decoderFor(png(20, 10), 199)).toThrow(/more than 199/);
    expect(readHeader(png(20, 10), { pixels: 200 })).toMatchObject({ width: 20, height: 10 });
    expect(readHeader(bombs["PNG of 14000 x 14000"]!, { pixels: 2e8 }).width).toBe(14_000);
  });

  it("and a PNG whose text unpacks to 50 MB is left to Pillow without unpacking it", () => {
    const bomb = chunk("zTXt", text("Comment", Buffer.alloc(50e6)));
    const before = process.memoryUsage().rss;
    expect(readHeader(png(9, 9, bomb)).doubt).toMatch("zTXt unpacks to more than Pillow takes");
    expect(process.memoryUsage().rss - before).toBeLessThan(100e6);
    const fine = chunk("zTXt", text("Comment", Buffer.alloc(9999)));
    expect(readHeader(png(9, 9, fine, chunk("IDAT", Buffer.alloc(9)))).doubt).toBeUndefined();
  });
});

describe("a header that ends early, or that nobody can read, is Pillow's to judge", () => {
  const odd: Record<string, Buffer> = {
    PNG: png(9, 9).subarray(0, 20),
    JPEG: jpeg(9, 9).subarray(0, 9),
    WebP: Buffer.from("RIFF\x09\0\0\0WEBPVP8 \0", "latin1"),
    GIF: Buffer.from("GIF89a"),
    BMP: Buffer.from("BM is how this sentence starts"),
    "TIFF whose directory lies beyond it": Buffer.from("II*\0\xff\0\0\0", "latin1"),
    "TIFF with a directory that claims too much": Buffer.from("MM\0*\0\0\0\x08\xff\xff\0\0", "latin1"),
    BigTIFF: Buffer.from("II+\0\x08\0\0\0\xff", "latin1"),
    "ICO with fewer entries than it says": Buffer.from("\0\0\x01\0\x03\0\x10\x10", "latin1"),
    "PPM without a size": Buffer.from("P6\n# and nothing else"),
    "PPM whose numbers are none": Buffer.from("P6 12x 9 255\n"),
    "text that starts as a PPM": Buffer.from("Python is a language\n"),
  };
  it.each(Object.keys(odd))("%s", (name) => {
    const { decoder, header } = decoderFor(odd[name]!);
    expect(decoder).toBe("worker");
    expect(header).toMatchObject({ width: 0, height: 0, kind: undefined, hasProfile: true });
    expect(header.orientation).toBeUndefined();
  });

  it("and a JPEG 2000 has the size in its header box, not in one that looks like it", () => {
    const box = (type: string, body: Buffer): Buffer => {
      const out = Buffer.alloc(8 + body.length);
      out.writeUInt32BE(out.length, 0);
      out.write(type, 4, "latin1");
      body.copy(out, 8);
      return out;
    };
    const ihdr = Buffer.from("0000000700000005000307070000", "hex");
    const start = Buffer.from("0000000c6a5020200d0a870a", "hex");
    const decoy = box("uuid", Buffer.from("ihdr\x7f\xff\xff\xff\x7f\xff\xff\xff", "latin1"));
    const file = Buffer.concat([start, decoy, box("jp2h", box("ihdr", ihdr))]);
    expect(readHeader(file)).toMatchObject({ width: 5, height: 7 });
    expect(readHeader(file.subarray(0, 40)).width).toBe(0);
  });
});

describe("what no built-in picture stands for goes to Pillow, with the reason", () => {
  const good = png(9, 9, chunk("IDAT", Buffer.alloc(9)));
  const flipped = Buffer.from(good);
  flipped[45] = 7;
  const stray = Buffer.from(jpeg(9, 9).toString("hex").replace("aaffd9", "ffb2aaffd9"), "hex");
  it.each([
    [jpeg(9, 9, 0xc9), "arithmetic"],
    [jpeg(9, 9, 0xc3), "lossless"],
    [jpeg(9, 9, 0xc5), "hierarchical"],
    [jpeg(9, 9, 0xc1, 12), "12-bit"],
    [jpeg(9, 0), "without a size"],
    [jpeg(9, 9, 0xc1), "extended"],
    [jpeg(9, 9).subarray(0, -2), "cut off"],
    [stray, "marker out of place"],
    [flipped, "checksum in IDAT"],
    [good.subarray(0, -12), "cut off"],
    [png(9, 9, chunk("acTL", Buffer.alloc(8))), "animated"],
    [png(9, 9, chunk("pHYs", Buffer.alloc(8))), "odd pHYs"],
    [png(9, 9, chunk("tRNS", Buffer.alloc(2))), "odd tRNS"],
    [png(9, 9, chunk("iCCP", Buffer.from("no end"))), "odd iCCP"],
    [png(9, 9, chunk("zTXt", Buffer.from("Key\0\x01"))), "odd zTXt"],
    [png(9, 9, chunk("tEXt", Buffer.from("interlace\0x"))), "text called interlace"],
    [png(9, 9, chunk("fcTL", Buffer.alloc(26))), "animated"],
    [png(9, 9, chunk("abCd", Buffer.alloc(3))), "unknown chunk"],
    [png(9, 9, chunk("PLTE", Buffer.alloc(4)), chunk("IDAT", Buffer.alloc(9))), "odd PLTE"],
    [png(9, 9), "without data"],
  ])("case %#", (bytes, reason) => {
    expect(decoderFor(bytes)).toMatchObject({ decoder: "worker", reason: expect.stringContaining(reason) });
  });

  it("a PNG that starts with another chunk has the size of its IHDR", () => {
    const whole = png(640, 480);
    const late = Buffer.concat([whole.subarray(0, 8), chunk("CgBI", Buffer.alloc(4)), whole.subarray(8)]);
    expect(decoderFor(late)).toMatchObject({ decoder: "worker", header: { width: 640, height: 480 } });
    const none = Buffer.concat([
      whole.subarray(0, 8),
      chunk("CgBI", Buffer.alloc(4)),
      chunk("IEND", Buffer.alloc(0)),
    ]);
    expect(decoderFor(none)).toMatchObject({ decoder: "worker", header: { width: 0, height: 0 } });
  });

  it("a PPM may have comments of any length before its size, and costs no more than its bytes", () => {
    const ppm = Buffer.from(`P6\n# ${"x".repeat(500_000)}\n640 # ${"#".repeat(500_000)}\n480 255\n`);
    expect(readHeader(ppm)).toMatchObject({ width: 640, height: 480, mode: "RGB" });
  });

  it("a picture that is too large to be decoded beside others", () => {
    const large = decoderFor(png(8192, 8193, chunk("IDAT", Buffer.alloc(9))));
    expect(large).toMatchObject({ decoder: "worker", reason: expect.stringContaining("beside others") });
    expect(decoderFor(png(8192, 8192, chunk("IDAT", Buffer.alloc(9)))).decoder).toBe("sharp");
  });

  it("and what one stands for stays here", () => {
    expect(decoderFor(good)).toMatchObject({
      decoder: "sharp",
      header: { format: "png", width: 9, mode: "RGB", kind: "png-rgb8", orientation: 1, hasProfile: false },
    });
    expect(decoderFor(jpeg(640, 480))).toMatchObject({
      decoder: "sharp",
      reason: "JPEG of the kind jpeg-grey",
      header: { width: 640, height: 480, mode: "L", kind: "jpeg-grey" },
    });
  });

  it("unless it is asked for in a way that only Pillow knows", () => {
    const header = { ...readHeader(good), orientation: undefined, hasProfile: true };
    expect(doubtOf(header)).toBeUndefined();
    expect(doubtOf(header, { exif: "apply" })).toMatch("orientation");
    expect(doubtOf(header, { icc: "to-srgb" })).toMatch("colour profile");
    expect(doubtOf(readHeader(good), { exif: "apply", icc: "to-srgb" })).toBeUndefined();
  });
});

/** One scan of component 1: coefficients `from` to `to`, down to bit `low`. */
const scan = (from: number, to: number, low: number): string =>
  `ffda00080101${[0, from, to, low].map((v) => v.toString(16).padStart(2, "0")).join("")}aa`;
const progressive = (...scans: string[]): Buffer =>
  Buffer.from(`ffd8ffc2000b080009000901011100${TABLES}${scans.join("")}ffd9`, "hex");

describe("a progressive JPEG", () => {
  it("goes to Pillow when scans are missing: versions of libjpeg smooth it differently", () => {
    const some = progressive(scan(0, 0, 0), scan(1, 5, 0), scan(6, 63, 1));
    expect(decoderFor(some)).toMatchObject({
      decoder: "worker",
      reason: expect.stringContaining("last scans"),
    });
  });

  it("stays here when all bits were sent", () => {
    const all = progressive(scan(0, 0, 1), scan(1, 63, 1), scan(0, 0, 0x10), scan(1, 63, 0x10));
    expect(decoderFor(all).decoder).toBe("sharp");
  });
});
