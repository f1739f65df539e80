// Compares decoding here with Pillow on files that were changed with their structure in mind.
//
//   npm run fuzz:decode -- --count 3600 --seed 1 --python /usr/bin/python3 --formats jpeg,png,webp
//
// Prints the counts: equal, left to Pillow, refused by both, and those that must be 0; exits with 1 when one of these is
// not. The same seed gives the same cases; --from N --count 1 repeats case N, --save FOLDER keeps the files at fault.
// A Pillow whose libjpeg is not libjpeg-turbo decodes JPEG to other bits: leave that format out there.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { decode } from "../dist/image/decode/decode.js";
import { doubtOf, readHeader } from "../dist/image/format.js";
import { FAULTS, fuzzDecode } from "./fuzz/decode.mjs";
import { fuzzFiles } from "./fuzz/files.mjs";
import { startOracle } from "./fuzz/oracle.mjs";

const { values } = parseArgs({
  options: {
    count: { type: "string", default: "3600" },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    from: { type: "string", default: "0" },
    python: { type: "string", default: process.env.ISOTORCH_PYTHON ?? "/usr/bin/python3" },
    formats: { type: "string", default: "jpeg,png,webp" },
    save: { type: "string" },
  },
});
const [count, seed, from] = [values.count, values.seed, values.from].map(Number);

const oracle = startOracle(values.python);

function onFault(sentence, bytes) {
  console.log(`${sentence}; repeat with --seed ${seed} --from ${sentence.match(/\d+/)[0]} --count 1`);
  if (!values.save) return;
  mkdirSync(values.save, { recursive: true });
  writeFileSync(join(values.save, sentence.replaceAll(/[^\w.]+/g, "-")), bytes);
}

const { python, pillow } = await oracle.ask({ op: "ping" });
const started = performance.now();
const counts = await fuzzDecode({
  files: await fuzzFiles(values.formats.split(",")),
  decoder: {
    readHeader,
    doubtOf,
    decode,
    pillow: (bytes, exif) => oracle.ask({ op: "decode", exif }, bytes),
  },
  seed,
  count,
  from,
  onFault,
});
oracle.end();
const seconds = ((performance.now() - started) / 1000).toFixed(0);
console.log(
  `seed ${seed}: ${count} files, each as it is and turned; Pillow ${pillow}, Python ${python}; ${seconds} s`,
);
for (const [name, number] of Object.entries(counts)) console.log(`${String(number).padStart(7)} ${name}`);
process.exitCode = FAULTS.some((fault) => counts[fault] > 0) ? 1 : 0;
