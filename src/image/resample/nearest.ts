/** The resize that takes the nearest pixel and mixes none. Method: Pillow, `src/libImaging/Geometry.c`. */
import type { Pixels } from "./geometry.ts";

/** A run of positions along one axis of the resized picture. */
export interface Run {
  readonly from: number;
  readonly count: number;
}

/** The columns of `across` and the rows of `down` of a picture that would be resized to `width` x `height`. */
export function nearest(
  pixels: Pixels,
  width: number,
  height: number,
  across: Run,
  down: Run,
): Uint8Array<ArrayBuffer> {
  const columns = sources(pixels.width, width, across);
  const rows = sources(pixels.height, height, down);
  const out = new Uint8Array(across.count * down.count * 3);
  let at = 0;
  for (const row of rows) {
    for (const column of columns) {
      const source = (row * pixels.width + column) * 3;
      // What lies beyond the picture stays black.
      if (row < pixels.height && column < pixels.width) out.set(pixels.data.subarray(source, source + 3), at);
      at += 3;
    }
  }
  return out;
}

/** Where each position lies in the source. Steps are added up one by one, as Pillow does it: so their rounding is its own. */
function sources(inSize: number, outSize: number, { from, count }: Run): Int32Array {
  const step = inSize / outSize;
  const found = new Int32Array(count);
  let at = step * 0.5;
  for (let position = 0; position < from + count; position++) {
    if (position >= from) found[position - from] = Math.trunc(at);
    at += step;
  }
  return found;
}
