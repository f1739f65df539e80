import type { Pixels } from "../resample/geometry.ts";

/** The picture turned and mirrored upright, as Pillow's `ImageOps.exif_transpose` does. */
export function applyOrientation(pixels: Pixels, orientation: number): Pixels {
  if (orientation <= 1 || orientation > 8) return pixels;
  const swaps = orientation >= 5;
  const flipX = [2, 3, 7, 8].includes(orientation);
  const flipY = [3, 4, 6, 7].includes(orientation);
  const width = swaps ? pixels.height : pixels.width;
  const height = swaps ? pixels.width : pixels.height;
  const data = new Uint8Array(pixels.data.length);
  let target = 0;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const column = swaps ? y : x;
      const row = swaps ? x : y;
      const fromX = flipX ? pixels.width - 1 - column : column;
      const fromY = flipY ? pixels.height - 1 - row : row;
      const source = (fromY * pixels.width + fromX) * 3;
      data[target++] = pixels.data[source]!;
      data[target++] = pixels.data[source + 1]!;
      data[target++] = pixels.data[source + 2]!;
    }
  }
  return { data, width, height };
}
