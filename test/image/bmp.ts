/** A BMP of one pixel, which only Pillow decodes. */
export const BMP: Buffer = Buffer.alloc(58);
BMP.write("BM");
for (const [at, value] of [
  [2, 58],
  [10, 54],
  [14, 40],
  [18, 1],
  [22, 1],
] as const)
  BMP.writeUInt32LE(value, at);
BMP.writeUInt16LE(1, 26);
BMP.writeUInt16LE(24, 28);
