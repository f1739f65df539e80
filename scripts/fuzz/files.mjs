// The files that the decode fuzzer changes: the built-in pictures, the examples, and some made here.
import { readdirSync, readFileSync } from "node:fs";
import sharp from "sharp";

const FORMATS = { jpg: "jpeg", png: "png", webp: "webp" };

function folder(path) {
  const url = new URL(`../../${path}/`, import.meta.url);
  return readdirSync(url)
    .filter((name) => FORMATS[name.split(".").at(-1)] !== undefined)
    .toSorted()
    .map((name) => ({
      name,
      bytes: readFileSync(new URL(name, url)),
      format: FORMATS[name.split(".").at(-1)],
    }));
}

/** A small picture with EXIF and a profile, as sharp writes it in each format. */
async function made() {
  const pixels = Buffer.alloc(41 * 29 * 3);
  for (let i = 0; i < pixels.length; i++) pixels[i] = (i * 7 + (i >> 5) * 13) % 256;
  const picture = () =>
    sharp(pixels, { raw: { width: 41, height: 29, channels: 3 } })
      .withExif({ IFD0: { Make: "isotorch", Orientation: "6" } })
      .withIccProfile("p3");
  const files = [
    ["made.jpg", () => picture().jpeg({ quality: 70 })],
    ["made-plain.jpg", () => picture().jpeg({ quality: 95, chromaSubsampling: "4:4:4", progressive: true })],
    ["made.png", () => picture().png()],
    ["made-palette.png", () => picture().png({ palette: true, colours: 13 })],
    ["made.webp", () => picture().webp()],
    ["made-lossless.webp", () => picture().webp({ lossless: true })],
  ];
  return Promise.all(
    files.map(async ([name, make]) => ({
      name,
      bytes: await make().toBuffer(),
      format: FORMATS[name.split(".").at(-1)],
    })),
  );
}

/** `{ name, bytes, format }[]`; those of one format alone where it is given. */
export async function fuzzFiles(formats = ["jpeg", "png", "webp"]) {
  const all = [...folder("models/attestation"), ...folder("examples/images"), ...(await made())];
  // A picture of millions of pixels costs the time of a hundred others.
  return all.filter(({ format, bytes }) => formats.includes(format) && bytes.length < 200_000);
}
