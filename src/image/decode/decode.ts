import sharp from "sharp";
import { IsotorchError, messageOf } from "../../base/errors.ts";
import { doubtOf, type Header, readHeader } from "../format.ts";
import type { Pixels } from "../resample/geometry.ts";
import { DEFAULT_LIMITS, type PartialLimits } from "../source/limits.ts";
import { applyOrientation } from "./orientation.ts";
import { fillPalette, hasColour } from "./palette.ts";

/**
 * Leaves sharp three loaders and no cache. This holds for the whole process, so it is for processes that are ours alone: in
 * an application's own, what the first bytes say decides, and sharp stays as the application has it.
 */
export function confineSharp(): void {
  // One picture after another is decoded, never the same one twice: a cache would only hold memory.
  sharp.cache(false);
  // Fewer parsers for a hostile file to reach.
  sharp.block({ operation: ["VipsForeignLoad"] });
  sharp.unblock({
    operation: ["VipsForeignLoadJpegBuffer", "VipsForeignLoadPngBuffer", "VipsForeignLoadWebpBuffer"],
  });
}

/** How a picture is read; every default is what `Image.open(file).convert("RGB")` does. */
export interface DecodeOptions {
  /** Whether the camera's orientation is applied, as `ImageOps.exif_transpose` does. @default "ignore" */
  readonly exif?: "ignore" | "apply" | undefined;
  /** Whether an embedded colour profile is converted to sRGB, which Pillow does. @default "ignore" */
  readonly icc?: "ignore" | "to-srgb" | undefined;
  /** `strict` refuses pictures that are not plain three-channel RGB. @default "convert-rgb" */
  readonly mode?: "convert-rgb" | "strict" | undefined;
}

/**
 * Decodes a JPEG, PNG or WebP to RGB, the first frame, alpha dropped. Where the worker's Pillow reads the built-in picture of
 * its kind as sharp does, the bytes equal `Image.open(file).convert("RGB")`. What only Pillow can decode is refused, and so
 * is damage that libjpeg, libpng or libwebp only warns of: the worker's Pillow has the last word on it.
 *
 * @throws IsotorchError `DECODE_FAILED`, `UNSUPPORTED_FORMAT`, `UNSUPPORTED_MODE`, `INPUT_TOO_LARGE`.
 */
export async function decode(
  bytes: Uint8Array,
  options: DecodeOptions = {},
  limits: PartialLimits = {},
): Promise<Pixels> {
  const header = readHeader(bytes, limits);
  if (options.mode === "strict") requireRgb(header);
  if (header.format !== "jpeg" && header.format !== "png" && header.format !== "webp") {
    throw new IsotorchError("UNSUPPORTED_FORMAT", `${header.format.toUpperCase()} is not decoded here`, {
      hint: "the worker decodes it, with Pillow",
    });
  }
  const doubt = doubtOf(header, options);
  if (doubt !== undefined) throw failure(header, doubt);
  const filled = header.format === "png" ? fillPalette(bytes) : undefined;
  const pixels = await decodeRgb(filled?.bytes ?? bytes, header, limits.pixels ?? DEFAULT_LIMITS.pixels);
  if (filled && hasColour(pixels.data, filled.filler))
    throw failure(header, "a pixel points beyond the palette");
  return options.exif === "apply" ? applyOrientation(pixels, header.orientation ?? 1) : pixels;
}

/**
 * Refuses what `convert("RGB")` would change, for the mode `strict`.
 *
 * @throws IsotorchError `UNSUPPORTED_MODE`, naming the mode as Pillow does.
 */
export function requireRgb(header: Pick<Header, "format" | "mode">): void {
  if (header.mode === "RGB") return;
  const mode = header.mode === undefined ? "a mode that its header does not tell" : `mode ${header.mode}`;
  throw new IsotorchError("UNSUPPORTED_MODE", `the ${header.format.toUpperCase()} has ${mode}, not RGB`, {
    hint: 'convert it to RGB, or use mode "convert-rgb"',
  });
}

async function decodeRgb(bytes: Uint8Array, header: Header, maxPixels: number): Promise<Pixels> {
  try {
    const { data, info } = await sharp(bytes, {
      ignoreIcc: true,
      failOn: "warning",
      limitInputPixels: maxPixels,
      pages: 1,
    })
      .toColourspace("srgb")
      .removeAlpha()
      .raw()
      .toBuffer({ resolveWithObject: true });
    if (info.width !== header.width || info.height !== header.height) throw new Error("of another size");
    if (info.channels !== 3) throw new Error(`decoded to ${info.channels} channels`);
    return {
      data: new Uint8Array(data.buffer, data.byteOffset, data.length),
      width: info.width,
      height: info.height,
    };
  } catch (cause) {
    throw failure(header, messageOf(cause), cause);
  }
}

function failure(header: Header, why: string, cause?: unknown): IsotorchError {
  return new IsotorchError(
    "DECODE_FAILED",
    `the ${header.format.toUpperCase()} could not be decoded: ${why}`,
    {
      hint: "the file is cut off or corrupt: fetch it again, or open and save it with another program",
      cause,
    },
  );
}

/** The versions that decoded bits may depend on: sharp, libvips and the codecs in them, by name. */
export function decoderVersions(): Record<string, string> {
  return Object.fromEntries(
    Object.entries(sharp.versions).filter((entry): entry is [string, string] => typeof entry[1] === "string"),
  );
}
