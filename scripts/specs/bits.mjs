/**
 * In how many bits two arrays of float32 differ.
 *
 * @param ours Float32Array.
 * @param theirs the bytes of as many, little-endian.
 */
export function differingBits(ours, theirs) {
  const bytes = Buffer.from(ours.buffer, ours.byteOffset, ours.byteLength);
  if (bytes.length !== theirs.length) return 8 * Math.max(bytes.length, theirs.length);
  if (bytes.equals(theirs)) return 0;
  let bits = 0;
  for (let at = 0; at < bytes.length; at++) {
    for (let rest = bytes[at] ^ theirs[at]; rest > 0; rest >>= 1) bits += rest & 1;
  }
  return bits;
}
