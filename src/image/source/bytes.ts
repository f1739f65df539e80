/** Bytes in whatever view of memory they come, also from another realm, whose classes are others than here. */
import { types } from "node:util";

/** The bytes of any view of bytes, in this realm's class; `undefined` for everything else. */
export function bytesOf(input: unknown): Uint8Array | undefined {
  if (input instanceof Uint8Array) return input;
  if (types.isUint8Array(input) || types.isUint8ClampedArray(input) || types.isDataView(input))
    return new Uint8Array(input.buffer, input.byteOffset, input.byteLength);
  return types.isAnyArrayBuffer(input) ? new Uint8Array(input) : undefined;
}
