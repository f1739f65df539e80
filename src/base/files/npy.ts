/** `.npy` files, version 1.0: what `numpy.save` writes and `numpy.load` reads. Format: NumPy's NEP 1. */
import { IsotorchError } from "../errors.ts";
import { shown } from "../text/shown.ts";

const MAGIC = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0];
/** Magic, version, and the two bytes of the header's length. */
const PREAMBLE = 10;

/** What a file holds; the elements are little-endian, in C order. */
export interface NpyFile {
  /** The type of the elements by NumPy's name, such as `<f4`. */
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

/** The file's bytes. */
export function writeNpy(dtype: string, shape: readonly number[], data: ArrayBufferView): Uint8Array {
  const header = npyHeader(dtype, shape);
  const file = new Uint8Array(header.length + data.byteLength);
  file.set(header);
  file.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), header.length);
  return file;
}

/** What stands before the elements. @param least bytes that it has at least, a multiple of 64. */
export function npyHeader(dtype: string, shape: readonly number[], least = 64): Uint8Array {
  const description = `{'descr': '${dtype}', 'fortran_order': False, 'shape': ${pythonTuple(shape)}, }`;
  const start = Math.max(least, Math.ceil((PREAMBLE + description.length + 1) / 64) * 64);
  const header = new Uint8Array(start);
  header.set(MAGIC);
  new DataView(header.buffer).setUint16(8, start - PREAMBLE, true);
  header.set(new TextEncoder().encode(`${description.padEnd(start - PREAMBLE - 1)}\n`), PREAMBLE);
  return header;
}

/** @throws IsotorchError `INPUT_UNREADABLE` for another file. Whether the bytes fit the shape is for whoever knows the type. */
export function readNpy(file: Uint8Array, name: string): NpyFile {
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
  return { dtype, shape: sizes.map(Number), bytes: file.subarray(start) };
}

/** Python's way to write a shape: `(3, 224, 224)`, `(1000,)`. */
export function pythonTuple(values: readonly number[]): string {
  return values.length === 1 ? `(${values[0]},)` : `(${values.join(", ")})`;
}
