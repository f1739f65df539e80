import { describe, expect, it } from "vitest";
import { cpuClock } from "../../cpu.ts";
import { sniffFormat } from "../../../src/image/decode/sniff.ts";

const latin1 = (text: string): Uint8Array => Buffer.from(text, "latin1");

describe("what is not a picture is refused by name", () => {
  it.each([
    ["", "the input is empty"],
    ["hello, this is a letter", "text"],
    ["<!DOCTYPE html><html>", "an HTML page"],
    ["  <html><body>", "an HTML page"],
    ["%PDF-1.7\n", "a PDF document"],
    ['<?xml version="1.0"?>\n<!-- a -->\n<svg xmlns="x">', "an SVG drawing"],
    ["<svg width='3'>", "an SVG drawing"],
    ["<?xml version='1.0'?><note/>", "an XML document"],
    ["PK\x03\x04rest", "a zip archive"],
    ["\x1f\x8b\x08", "a gzip archive"],
    ["\0\0\0\x20ftypavif", "an AVIF picture"],
    ["\0\0\0\x20ftypheic", "a HEIC picture"],
    ["RIFF\x01\x02\x03\x04WAVE", "a RIFF file"],
    ["RIFF\x01\x02\x03\x04WEBPVP8?", "a RIFF file"],
    ["<!-- a --><!-- b --><!DOCTYPE html>", "an HTML page"],
    ["\x80\x02}q\0.", "a Python pickle"],
    ["\0".repeat(64), "all zero bytes"],
    ["\x01\x02\x03\x04\x05\x06\x07\x08\x09", "starts with the bytes 0102030405060708"],
  ])("%j is called %s", (content, name) => {
    const error = (() => {
      try {
        return sniffFormat(latin1(content));
      } catch (thrown) {
        return thrown;
      }
    })();
    expect(error).toMatchObject({ code: "UNSUPPORTED_FORMAT", hint: expect.any(String) });
    expect(error).toHaveProperty("message", expect.stringContaining(name));
  });
});

describe("pictures are told by their first bytes", () => {
  it.each([
    ["\xff\xd8\xff\xe0", "jpeg"],
    ["\x89PNG\r\n\x1a\n", "png"],
    ["RIFF\0\0\0\0WEBPVP8 ", "webp"],
    ["RIFF\0\0\0\0WEBPVP8X", "webp"],
    ["RIFF\0\0\0\0WEBPVP8L", "webp"],
    ["GIF87a", "gif"],
    ["GIF89a", "gif"],
    ["BM", "bmp"],
    ["II*\0", "tiff"],
    ["II\0*", "tiff"],
    ["II+\0", "tiff"],
    ["MM\0*", "tiff"],
    ["MM*\0", "tiff"],
    ["MM\0+", "tiff"],
    ["\0\0\x01\0", "ico"],
    ["P6\n3 3\n255\n", "ppm"],
    ["P0CMYK", "ppm"],
    ["Pf\n3 3\n-1.0\n", "ppm"],
    ["PyRGBA", "ppm"],
    ["\0\0\0\x0cjP  \r\n\x87\n", "jp2"],
    ["\xff\x4f\xff\x51", "jp2"],
  ])("%j is %s", (content, format) => {
    expect(sniffFormat(latin1(content))).toBe(format);
  });
});

describe("a long tale of comments is told apart at once", () => {
  it.each(["<!--", "<!-- --> ", "<?xml ", "<?xml ?><!doctype svg ", " "])("%j over and over", (piece) => {
    const bytes = latin1(piece.repeat(100_000));
    const clock = cpuClock();
    expect(() => sniffFormat(bytes)).toThrow();
    expect(clock.ms).toBeLessThan(200);
  });
});
