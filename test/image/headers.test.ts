/** What headers say beside the size: how a picture is turned, and whether it has a profile. */
import { readFileSync } from "node:fs";
import { crc32 } from "node:zlib";
import { describe, expect, it } from "vitest";
import { readHeader } from "../../src/image/format.ts";
import type { HeaderFacts } from "../../src/image/headers/facts.ts";

const builtIn = (name: string): Buffer =>
  readFileSync(new URL(`../../models/attestation/${name}`, import.meta.url));
const latin1 = (text: string): Buffer => Buffer.from(text, "latin1");

/** A TIFF block with entries `[tag, type, count, value]`, values of at most four bytes. */
function tiff(...entries: readonly (readonly [number, number, number, number])[]): Buffer {
  const out = Buffer.alloc(14 + 12 * entries.length);
  out.write("II*\0\x08", "latin1");
  out.writeUInt16LE(entries.length, 8);
  entries.forEach(([tag, type, count, value], i) => {
    out.writeUInt16LE(tag, 10 + 12 * i);
    out.writeUInt16LE(type, 12 + 12 * i);
    out.writeUInt32LE(count, 14 + 12 * i);
    out.writeUInt32LE(value, 18 + 12 * i);
  });
  return out;
}
const turn = (value: number, type = 3): readonly [number, number, number, number] => [0x0112, type, 1, value];
const exif = (block: Buffer): [number, Buffer] => [0xe1, Buffer.concat([latin1("Exif\0\0"), block])];
const xmp: [number, Buffer] = [0xe1, latin1('http://ns.adobe.com/xap/1.0/\0<x tiff:Orientation="6"/>')];
const icc = (part: number, parts: number): [number, Buffer] => [
  0xe2,
  Buffer.concat([latin1("ICC_PROFILE\0"), Buffer.of(part, parts), Buffer.alloc(40)]),
];
const resources = (size: number): [number, Buffer] => [
  0xed,
  Buffer.concat([latin1("Photoshop 3.0\x008BIM\x04\x04\0\0\0\0\0"), Buffer.of(size), Buffer.alloc(6)]),
];

/** The built-in JPEG with more segments behind its JFIF. */
function jpeg(...segments: readonly (readonly [number, Buffer])[]): HeaderFacts {
  const plain = builtIn("jpeg-420.jpg");
  const all = segments.map(([marker, body]) => {
    const head = Buffer.of(0xff, marker, 0, 0);
    head.writeUInt16BE(body.length + 2, 2);
    return Buffer.concat([head, body]);
  });
  return readHeader(Buffer.concat([plain.subarray(0, 20), ...all, plain.subarray(20)]));
}

describe("a JPEG as cameras and editors write it", () => {
  it("keeps its kind with EXIF, XMP, a profile, Photoshop's resources and a comment", () => {
    const make = [0x010f, 2, 4, 0x00_43_42_41] as const;
    const camera = [exif(tiff(make, turn(6))), icc(1, 2), icc(2, 2), resources(6)] as const;
    expect(jpeg(...camera, [0xfe, latin1("hello")])).toMatchObject({
      kind: "jpeg-420",
      orientation: 6,
      hasProfile: true,
    });
    expect(jpeg(...camera, xmp)).toMatchObject({ kind: "jpeg-420", orientation: undefined });
  });

  it.each([
    ["a directory that lies beyond it", exif(latin1("II*\0\xff\xff\xff\x7f"))],
    ["a value that lies beyond it", exif(tiff([0x010f, 2, 500, 9999]))],
    ["a type that there is not", exif(tiff([0x010f, 13, 1, 1]))],
    ["a resolution in letters", exif(tiff([0x011a, 2, 2, 0x35]))],
    ["the prefix of EXIF twice", exif(Buffer.concat([latin1("Exif\0\0"), tiff(turn(6))]))],
    ["a profile without its number", [0xe2, latin1("ICC_PROFILE\0\x01")] as const],
    ["a part of a profile that is missing", icc(1, 2)],
    ["several pictures", [0xe2, latin1("MPF\0II*\0")] as const],
    ["a resource beyond its segment", resources(200)],
    ["JFIF again", [0xe0, latin1("JFIF\0\x01\x01\0\0\x01\0\x01\0\0")] as const],
    ["Adobe's word that it is RGB", [0xee, latin1("Adobe\0d\0\0\0\0\0")] as const],
  ])("has none with %s", (_, segment) => {
    expect(jpeg(segment)).toMatchObject({ kind: undefined, orientation: undefined, hasProfile: true });
  });
});

describe("an orientation", () => {
  it("is told where all of Pillow's versions agree", () => {
    expect(jpeg().orientation).toBe(1);
    expect(jpeg(exif(tiff([0x0128, 3, 1, 2]))).orientation).toBe(1);
    for (let value = 1; value <= 8; value++) expect(jpeg(exif(tiff(turn(value)))).orientation).toBe(value);
  });

  it.each([
    ["0", exif(tiff(turn(0)))],
    ["9", exif(tiff(turn(9)))],
    ["a byte", exif(tiff(turn(6, 1)))],
    ["signed", exif(tiff(turn(6, 8)))],
    ["a float", exif(tiff(turn(0x40c00000, 11)))],
    ["there twice", exif(tiff(turn(6), turn(3)))],
    ["beside a tag that some versions cannot write back", exif(tiff(turn(6), [0x0106, 3, 2, 0]))],
    ["in XMP alone", xmp],
  ])("is left to Pillow where it is %s", (_, segment) => {
    expect(jpeg(segment)).toMatchObject({ kind: "jpeg-420", orientation: undefined });
  });

  const inPng = (name: string, body: Buffer, last = false): HeaderFacts => {
    const plain = builtIn("png-rgb8.png");
    const chunk = Buffer.alloc(12 + body.length);
    chunk.writeUInt32BE(body.length, 0);
    chunk.write(name, 4, "latin1");
    chunk.set(body, 8);
    chunk.writeUInt32BE(crc32(chunk.subarray(4, -4)), chunk.length - 4);
    const at = last ? plain.length - 12 : 33;
    return readHeader(Buffer.concat([plain.subarray(0, at), chunk, plain.subarray(at)]));
  };

  it("of a PNG is that of eXIf before its data, unless text may say another", () => {
    const text = (key: string): Buffer => latin1(`${key}\0some text`);
    expect(inPng("eXIf", tiff(turn(5)))).toMatchObject({ kind: "png-rgb8", orientation: 5 });
    expect(inPng("eXIf", latin1("II*\0"))).toMatchObject({ kind: "png-rgb8", orientation: undefined });
    expect(inPng("eXIf", tiff(turn(5)), true).orientation).toBeUndefined();
    for (const key of ["XML:com.adobe.xmp", "Raw profile type exif", "Raw profile type APP1"]) {
      expect(inPng("tEXt", text(key))).toMatchObject({ kind: "png-rgb8", orientation: undefined });
    }
    expect(inPng("tEXt", text("Title"))).toMatchObject({ kind: "png-rgb8", orientation: 1 });
  });
});
