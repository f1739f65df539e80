import type { Tensor } from "../../image/tensor.ts";

/** A float32 tensor as a `.npy` file, version 1.0: what `numpy.load` reads. Format: NumPy's NEP 1. */
export function npy({ data, shape }: Tensor): Uint8Array {
  const tuple = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(", ")})`;
  const description = `{'descr': '<f4', 'fortran_order': False, 'shape': ${tuple}, }`;
  const preamble = 10; // magic, version and the header's length
  const length = Math.ceil((preamble + description.length + 1) / 64) * 64;
  const file = new Uint8Array(length + data.byteLength);
  file.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0]);
  new DataView(file.buffer).setUint16(8, length - preamble, true);
  file.set(new TextEncoder().encode(`${description.padEnd(length - preamble - 1)}\n`), preamble);
  file.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), length);
  return file;
}
