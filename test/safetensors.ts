/** Reads safetensors without Python: a header's length, the header as JSON, the bytes. */
interface Entry {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data: Uint8Array;
}

/** The tensors of a file by their names, in its order. */
export function readSafetensors(file: Buffer): Map<string, Entry> {
  const start = 8 + Number(file.readBigUInt64LE());
  const header = JSON.parse(file.subarray(8, start).toString("utf8")) as Record<
    string,
    { dtype: string; shape: number[]; data_offsets: [number, number] }
  >;
  const tensors = new Map<string, Entry>();
  for (const [name, { dtype, shape, data_offsets: places }] of Object.entries(header))
    if (name !== "__metadata__")
      tensors.set(name, { dtype, shape, data: file.subarray(start + places[0], start + places[1]) });
  return tensors;
}
