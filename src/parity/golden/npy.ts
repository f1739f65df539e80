/** `.npy` files, version 1.0, of the types that stages have. Format: NumPy's NEP 1. */
import { shown } from "../../base/text/shown.ts";
import { IsotorchError } from "../../base/errors.ts";
import { arrayFromBytes, bytesOf, pythonTuple } from "../compare/array.ts";
import type { StageArray } from "../compare/array.ts";

const MAGIC = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0];
/** Magic, version, and the two bytes of the header's length. */
const PREAMBLE = 10;

/** The file's bytes; `numpy.load` reads them. */
export function writeNpy(array: StageArray): Uint8Array {
  const description = `{'descr': '${array.dtype}', 'fortran_order': False, 'shape': ${pythonTuple(array.shape)}, }`;
  const start = Math.ceil((PREAMBLE + description.length + 1) / 64) * 64;
  const data = bytesOf(array);
  const file = new Uint8Array(start + data.byteLength);
  file.set(MAGIC);
  new DataView(file.buffer).setUint16(8, start - PREAMBLE, true);
  file.set(new TextEncoder().encode(`${description.padEnd(start - PREAMBLE - 1)}\n`), PREAMBLE);
  file.set(data, start);
  return file;
}

/**
 * Reads what {@link writeNpy} and `numpy.save` write for these types.
 *
 * @throws IsotorchError `INPUT_UNREADABLE` for another file, `PROTOCOL_ERROR` for one whose length does not fit its shape.
 */
export function readNpy(file: Uint8Array, name: string): StageArray {
  const refused = (why: string): IsotorchError =>
    new IsotorchError("INPUT_UNREADABLE", `${shown(name)} is not a .npy file that is read here: ${why}.`);
  if (file.length < PREAMBLE || MAGIC.some((byte, at) => file[at] !== byte)) throw refused("bad first bytes");
  const start = PREAMBLE + new DataView(file.buffer, file.byteOffset).getUint16(8, true);
  const description = new TextDecoder("latin1").decode(file.subarray(PREAMBLE, start));
  const dtype = /'descr': '([^']*)'/.exec(description)?.[1];
  const shape = /'shape': \(([\d, ]*)\)/.exec(description)?.[1];
  if (dtype === undefined || shape === undefined) throw refused("bad header");
  if (!description.includes("'fortran_order': False")) throw refused("it is in Fortran order");
  const sizes = shape.split(",").filter((size) => size.trim() !== "");
  return arrayFromBytes(dtype, sizes.map(Number), file.subarray(start));
}
