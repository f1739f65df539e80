const words = new DataView(new ArrayBuffer(8));

/**
 * How many float32 values lie between two, the second one included: 0 for equal values, 1 for neighbours. It counts on
 * through zero, where `-0` and `0` are one place. Infinity where one side alone is NaN, 0 where both are.
 */
export function ulpDistance(a: number, b: number): number {
  if (Number.isNaN(a) || Number.isNaN(b)) {
    return Number.isNaN(a) && Number.isNaN(b) ? 0 : Number.POSITIVE_INFINITY;
  }
  return Math.abs(placeOf(a) - placeOf(b));
}

/** The float32's place among all of them in rising order, 0 at zero. */
function placeOf(value: number): number {
  words.setFloat32(0, value);
  const magnitude = words.getUint32(0) & 0x7f_ff_ff_ff;
  return words.getUint8(0) >= 0x80 ? -magnitude : magnitude;
}

/** The float32 at a place, from 0 (zero) to 0x7f800000 (infinity). */
export function float32At(place: number): number {
  words.setUint32(4, place);
  return words.getFloat32(4);
}

/** The place of the largest finite float32. */
export const LARGEST_PLACE = 0x7f_7f_ff_ff;
