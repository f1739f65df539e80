import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { decode } from "../../../src/image/decode/decode.ts";
import { decoderFor } from "../route.ts";
import { Corpus } from "../corpus.ts";
import { Oracle } from "../oracle.ts";
import { differences } from "../random.ts";

const oracle = new Oracle();
let corpus: Corpus;
beforeAll(async () => {
  corpus = await Corpus.open();
});
afterAll(() => oracle[Symbol.asyncDispose]());

/** What must not be decoded here: no built-in picture stands for it. */
const FOR_PILLOW =
  /cmyk|ycck|12-bit|arithmetic|png .* 16|animated|mpo|^(gif|bmp|tiff|ico|ppm|jp2|j2k)|^png palette beyond|^jpeg (41|441|odd|full|adobe rgb|rgb ids|grey factors)/;

/** Nor JPEG files whose chroma has two columns or fewer. */
const NARROW = /^jpeg-42[02]-[12]x/;

describe("a damaged file", () => {
  it.each(["jpeg-420-640x480.jpg", "jpeg-progressive-420.jpg", "png-rgb-8.png", "webp-lossy-640x480.webp"])(
    "is never taken where Pillow refuses it: %s cut at 100 places",
    async (file) => {
      const bytes = await corpus.read(file);
      for (let i = 0; i < 100; i++) {
        const cut = bytes.subarray(0, 1 + Math.floor((i * (bytes.length - 1)) / 100));
        await expect(decode(cut), `cut at ${cut.length}`).rejects.toHaveProperty(
          "code",
          expect.stringMatching(/^(DECODE_FAILED|UNSUPPORTED_FORMAT)$/),
        );
      }
      expect(await oracle.decode(bytes.subarray(0, bytes.length >> 1))).toHaveProperty("error");
    },
  );

  it("keeps what the decoder said as the cause and tells what to do", async () => {
    const bytes = await corpus.read("jpeg-420-640x480.jpg");
    bytes.fill(0x55, 20_000, 22_000);
    const broken = await decode(bytes).catch((error: unknown) => error);
    expect(broken).toMatchObject({
      code: "DECODE_FAILED",
      cause: expect.any(Error),
      hint: expect.any(String),
    });
  });

  it("leaves a pixel beyond the palette to Pillow", async () => {
    await expect(decode(await corpus.read("png-palette-beyond.png"))).rejects.toThrow("beyond the palette");
  });
});

describe("a picture of another mode or format", () => {
  it("is refused by its Pillow mode when strict", async () => {
    const refused = {
      "jpeg-grey.jpg": "L",
      "png-palette-8.png": "P",
      "png-rgba-8.png": "RGBA",
      "png-grey-1.png": "1",
    };
    for (const [file, mode] of Object.entries(refused)) {
      const bytes = await corpus.read(file);
      await expect(decode(bytes, { mode: "strict" })).rejects.toMatchObject({
        code: "UNSUPPORTED_MODE",
        message: expect.stringContaining(`mode ${mode},`),
      });
      expect(await oracle.decode(bytes)).toHaveProperty("mode", mode);
    }
    expect((await decode(await corpus.read("png-rgb-8.png"), { mode: "strict" })).width).toBe(67);
  });

  it("is not decoded here when Pillow alone does", async () => {
    await expect(decode(await corpus.read("gif.gif"))).rejects.toHaveProperty("code", "UNSUPPORTED_FORMAT");
  });
});

describe("every kind of picture", () => {
  it("has Pillow's bytes, or goes to Pillow", async () => {
    const counts = new Map<string, number>();
    for (const { file, kind } of corpus.files) {
      const bytes = await corpus.read(file);
      const { decoder, header } = decoderFor(bytes);
      const where = kind === "png palette beyond" ? "worker" : decoder;
      expect(where, file).toBe(FOR_PILLOW.test(kind) || NARROW.test(file) ? "worker" : "sharp");
      const key = `${where} ${header.format}`;
      counts.set(key, (counts.get(key) ?? 0) + 1);
      if (where === "worker") continue;
      const want = await oracle.decode(bytes);
      if ("error" in want) throw new Error(`${file}: ${want.error}`);
      expect(header.mode, file).toBe(want.mode);
      const got = await decode(bytes);
      expect([got.width, got.height], file).toEqual([want.pixels.width, want.pixels.height]);
      expect(differences(got.data, want.pixels.data), file).toBe(0);
    }
    console.log(
      "pictures by decoder and format:",
      Object.fromEntries([...counts].toSorted(([a], [b]) => a.localeCompare(b))),
    );
  });

  it("is turned as ImageOps.exif_transpose turns it", async () => {
    const files = corpus.files.filter(({ kind }) => kind.includes("exif"));
    expect(files).toHaveLength(14);
    for (const { file } of files) {
      const bytes = await corpus.read(file);
      const want = await oracle.decode(bytes, "apply");
      if ("error" in want) throw new Error(`${file}: ${want.error}`);
      const got = await decode(bytes, { exif: "apply" });
      expect([got.width, got.height], file).toEqual([want.pixels.width, want.pixels.height]);
      expect(differences(got.data, want.pixels.data), file).toBe(0);
    }
  });

  it("is left to Pillow where its colour profile is to be converted", async () => {
    const bytes = await corpus.read("jpeg-icc-p3.jpg");
    expect((await decode(bytes)).width).toBe(64);
    await expect(decode(bytes, { icc: "to-srgb" })).rejects.toMatchObject({
      code: "DECODE_FAILED",
      message: expect.stringContaining("a colour profile is converted by Pillow"),
    });
    const plain = await corpus.read("jpeg-420-640x480.jpg");
    expect((await decode(plain, { icc: "to-srgb" })).width).toBe(640);
  });

  it("is refused beyond the limit that is asked for", async () => {
    const bytes = await corpus.read("jpeg-420-640x480.jpg");
    await expect(decode(bytes, {}, { pixels: 640 * 480 - 1 })).rejects.toHaveProperty(
      "code",
      "INPUT_TOO_LARGE",
    );
    expect((await decode(bytes, {}, { pixels: 640 * 480 })).height).toBe(480);
  });
});
