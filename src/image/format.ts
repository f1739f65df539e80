import { IsotorchError } from "../errors.ts";
import type { HeaderFacts } from "./headers/facts.ts";
import { readJpegHeader } from "./headers/jpeg.ts";
import { otherHeaderReader } from "./headers/others.ts";
import { readPngHeader } from "./headers/png.ts";
import { readWebpHeader } from "./headers/webp.ts";
import { type ImageFormat, sniffFormat } from "./sniff.ts";

/** The largest picture that is decoded, pixels. */
export const MAX_PIXELS = 50_000_000;

/** {@link HeaderFacts} with the format that they were read from. */
export interface Header extends HeaderFacts {
  readonly format: ImageFormat;
}

/** Who decodes a picture, and why. */
export interface Route {
  /** `sharp`: here, the bits are proven equal to Pillow's. `worker`: Pillow itself, in the worker. */
  readonly decoder: "sharp" | "worker";
  /** One phrase for `info`, logs and manifests. */
  readonly reason: string;
  readonly header: Header;
}

const READERS: Record<ImageFormat, (bytes: Uint8Array) => HeaderFacts> = {
  jpeg: readJpegHeader,
  png: readPngHeader,
  webp: readWebpHeader,
  gif: otherHeaderReader("gif"),
  bmp: otherHeaderReader("bmp"),
  tiff: otherHeaderReader("tiff"),
  ico: otherHeaderReader("ico"),
  ppm: otherHeaderReader("ppm"),
  jp2: otherHeaderReader("jp2"),
};

/**
 * Reads the header alone; no decoder runs, no pixel is allocated.
 *
 * @throws IsotorchError `UNSUPPORTED_FORMAT`; `DECODE_FAILED` for a header that ends early;
 * `INPUT_TOO_LARGE` beyond {@link MAX_PIXELS}.
 */
export function readHeader(bytes: Uint8Array, maxPixels: number = MAX_PIXELS): Header {
  const format = sniffFormat(bytes);
  const facts = readFacts(bytes, format);
  const pixels = facts.width * facts.height;
  if (pixels > maxPixels) {
    const size = `${facts.width} × ${facts.height}`;
    throw new IsotorchError("INPUT_TOO_LARGE", `the picture has ${size} pixels, more than ${MAX_PIXELS}`, {
      hint: "make it smaller first, or hand over its pixels already reduced",
    });
  }
  return { format, ...facts };
}

function readFacts(bytes: Uint8Array, format: ImageFormat): HeaderFacts {
  try {
    return READERS[format](bytes);
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new IsotorchError("DECODE_FAILED", `the ${format.toUpperCase()} header ends too early`, {
      hint: "the file is cut off or corrupt: fetch it again",
      cause,
    });
  }
}

export function doubtOf(header: Header, _options: object): string | undefined {
  return header.doubt;
}

/** Decides who decodes the picture: only what is proven equal to Pillow is decoded here. Throws as {@link readHeader}. */
export function decoderFor(bytes: Uint8Array): Route {
  const header = readHeader(bytes);
  return header.doubt === undefined
    ? {
        decoder: "sharp",
        reason: `${header.format.toUpperCase()} in mode ${header.mode}, proven equal`,
        header,
      }
    : { decoder: "worker", reason: header.doubt, header };
}
