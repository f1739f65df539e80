import { type HeaderFacts, leftToPillow } from "./headers/facts.ts";
import { readJpegHeader } from "./headers/jpeg/jpeg.ts";
import { otherHeaderReader } from "./headers/others.ts";
import { readPngHeader } from "./headers/png.ts";
import { readWebpHeader } from "./headers/webp.ts";
import { checkSize, type Limits, limitsOf, type PartialLimits } from "./source/limits.ts";
import { type ImageFormat, sniffFormat } from "./decode/sniff.ts";

/** The largest picture that is decoded here, pixels, where several are decoded at a time. */
const MAX_BESIDE = 67_108_864;

/** {@link HeaderFacts} with the format that they were read from. */
export interface Header extends HeaderFacts {
  readonly format: ImageFormat;
}

/** How a picture is asked for; a part of `DecodeOptions`. */
export interface Wishes {
  readonly exif?: "ignore" | "apply" | undefined;
  readonly icc?: "ignore" | "to-srgb" | undefined;
}

const READERS: Record<ImageFormat, (bytes: Uint8Array, limits: Limits) => HeaderFacts> = {
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
 * Reads the header alone; no decoder runs, no pixel is allocated. A header that is damaged is not refused: Pillow has the
 * last word on it.
 *
 * @throws IsotorchError `UNSUPPORTED_FORMAT`; `INPUT_TOO_LARGE` beyond the limits.
 */
export function readHeader(bytes: Uint8Array, given: PartialLimits = {}): Header {
  const limits = limitsOf(given);
  const format = sniffFormat(bytes);
  const facts = READERS[format](bytes, limits);
  checkSize(facts, limits);
  if (facts.kind === undefined || facts.width * facts.height <= MAX_BESIDE) return { format, ...facts };
  return { format, ...leftToPillow("too large to be decoded beside others", facts) };
}

/** Why Pillow must decode the picture as it is asked for; undefined where it may be decoded here. */
export function doubtOf(header: HeaderFacts, { exif, icc }: Wishes = {}): string | undefined {
  if (header.doubt !== undefined) return header.doubt;
  if (exif === "apply" && header.orientation === undefined) return "an orientation that only Pillow can tell";
  return icc === "to-srgb" && header.hasProfile ? "a colour profile is converted by Pillow" : undefined;
}
