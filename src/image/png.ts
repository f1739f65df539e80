/** PNG files of pixels that were made here: lossless, without a profile and without metadata. */

/** Pixels to write: one byte each for grey, three for RGB, rows from the top. */
export interface Bitmap {
  readonly data: Uint8Array;
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3;
}

/** The file's bytes. */
export async function writePng({ data, width, height, channels }: Bitmap): Promise<Buffer> {
  // sharp takes long to load, and most processes write no picture.
  const { default: sharp } = await import("sharp");
  return sharp(data, { raw: { width, height, channels } })
    .toColourspace(channels === 1 ? "b-w" : "srgb")
    .png({ adaptiveFiltering: true })
    .toBuffer();
}

/** The picture as a `data:` URI. */
export async function pngUri(bitmap: Bitmap): Promise<string> {
  const png = await writePng(bitmap);
  return `data:image/png;base64,${png.toString("base64")}`;
}
