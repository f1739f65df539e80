// Compares what is decoded here with Pillow, on files that were changed with their structure in mind.
import { mutateJpeg } from "./jpeg.mjs";
import { mutatePng } from "./png.mjs";
import { Random } from "./random.mjs";
import { mutateWebp } from "./webp.mjs";

const MUTATORS = { jpeg: mutateJpeg, png: mutatePng, webp: mutateWebp };

/** Case `number` of a run: one of the files, changed one to three times. */
export function makeCase(files, seed, number) {
  const random = new Random(Math.imul(seed, 0x9e3779b1) ^ Math.imul(number + 1, 0x85ebca6b));
  const { name, bytes, format } = files[number % files.length];
  let mutant = Buffer.from(bytes);
  const times = random.pick([1, 1, 1, 2, 3]);
  for (let i = 0; i < times; i++) {
    try {
      mutant = MUTATORS[format](random, mutant);
    } catch (cause) {
      // What an earlier change left cannot be taken apart any more.
      if (!(cause instanceof RangeError) && !(cause instanceof TypeError)) throw cause;
    }
  }
  return { name, bytes: new Uint8Array(mutant) };
}

/** What became of one way of asking for one file. */
async function judge(bytes, exif, { readHeader, doubtOf, decode, pillow }) {
  let header;
  try {
    header = readHeader(bytes);
  } catch {
    return (await pillow(bytes, exif)).error === undefined
      ? "refused though Pillow reads it"
      : "refused by both";
  }
  if (doubtOf(header, { exif }) !== undefined) return "left to Pillow";
  let got;
  try {
    got = await decode(bytes, { exif });
  } catch (error) {
    return error?.code === "DECODE_FAILED" ? "left to Pillow" : "failed";
  }
  const want = await pillow(bytes, exif);
  if (want.error !== undefined) return "answered though Pillow refuses";
  const same = got.width === want.width && got.height === want.height && header.mode === want.mode;
  return same && Buffer.compare(got.data, want.data) === 0 ? "equal" : "different";
}

/** Counts that must be 0. */
export const FAULTS = [
  "different",
  "answered though Pillow refuses",
  "refused though Pillow reads it",
  "failed",
];

/**
 * Runs cases `from` to `from + count - 1` with and without `exif: "apply"`.
 *
 * @param files `{ name, bytes, format }[]`.
 * @param decoder `readHeader`, `doubtOf`, `decode`, and `pillow(bytes, exif)`, which answers as Pillow does.
 * @param onFault called with a sentence, and the file, for each case at fault.
 * @returns how many answers there were of each kind.
 */
export async function fuzzDecode({ files, decoder, seed, count, from = 0, onFault }) {
  const counts = { equal: 0, "left to Pillow": 0, "refused by both": 0 };
  for (const fault of FAULTS) counts[fault] = 0;
  for (let number = from; number < from + count; number++) {
    const { name, bytes } = makeCase(files, seed, number);
    for (const exif of ["ignore", "apply"]) {
      const outcome = await judge(bytes, exif, decoder);
      counts[outcome]++;
      if (FAULTS.includes(outcome)) onFault(`case ${number}, ${name}, exif "${exif}": ${outcome}`, bytes);
    }
  }
  return counts;
}
