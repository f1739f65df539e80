import type { Pixels } from "../resample/geometry.ts";

/** The pixels as a file that every Pillow reads without changing a byte: a binary PPM. */
export function ppmOf({ data, width, height }: Pixels): Uint8Array {
  const head = Buffer.from(`P6\n${width} ${height}\n255\n`);
  const file = new Uint8Array(head.length + data.length);
  file.set(head);
  file.set(data, head.length);
  return file;
}
