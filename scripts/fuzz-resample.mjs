// Compares the resampler with Pillow on random pictures, sizes, filters and crops.
//
//   npm run build && npm run fuzz:resample -- --cases 20000 --seed 1 --python /usr/bin/python3
//
// By the axis that goes first in this Pillow, found out as the attestation finds it: by the pictures of
// models/attestation/steps.json. Every third case is tall or wide, every fourth is resized to a height and a width. Prints the seed, the axes, the number of cases and the
// mismatches; exits with 1 when there is any. The same seed gives the same cases; --from N --cases 1 repeats case N alone.
// Python is --python, ISOTORCH_PYTHON or /usr/bin/python3, and needs Pillow.
import { parseArgs } from "node:util";
import { attest, firstAxis } from "../dist/image/attest/attestation.js";
import { ownDigests } from "../dist/image/attest/digests.js";
import { digestOf, pattern } from "../dist/image/attest/steps.js";
import { resizeName, steps } from "../dist/image/attest/built-in.js";
import { cropOffset, cropSize, resizedSize } from "../dist/image/resample/geometry.js";
import { resizeAndCrop } from "../dist/image/resample/resample.js";
import { startOracle } from "./fuzz/oracle.mjs";

const { values } = parseArgs({
  options: {
    cases: { type: "string", default: "20000" },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    from: { type: "string", default: "0" },
    python: { type: "string", default: process.env.ISOTORCH_PYTHON ?? "/usr/bin/python3" },
  },
});
const [cases, seed, from] = [values.cases, values.seed, values.from].map(Number);

const oracle = startOracle(values.python);

async function ask(request, payload) {
  const { error, data } = await oracle.ask(request, payload);
  if (error) throw new Error(error);
  return data;
}

/** A generator of its own for each case, so that any case can be repeated alone. */
function generator(state) {
  let t = state >>> 0;
  return (low, high) => {
    t = (t + 0x6d2b79f5) >>> 0;
    let x = Math.imul(t ^ (t >>> 15), t | 1);
    x = (x + Math.imul(x ^ (x >>> 7), x | 61)) ^ x;
    return low + Math.floor((((x ^ (x >>> 14)) >>> 0) / 2 ** 32) * (high - low + 1));
  };
}

function makeCase(number) {
  const integer = generator(Math.imul(seed, 0x9e3779b1) ^ Math.imul(number + 1, 0x85ebca6b));
  const side = () => [() => integer(1, 8), () => integer(1, 300), () => integer(200, 500)][integer(0, 2)]();
  let [width, height] = [side(), side()];
  // Pillow makes the whole resized picture: keep that within reason.
  const most = Math.min(width, height) * integer(1, 12);
  [width, height] = [Math.min(width, most), Math.min(height, most)];
  if (number % 3 === 0) {
    const [short, long] = [integer(1, 300), integer(300, 1200)];
    [width, height] = integer(0, 1) ? [short, long] : [long, short];
  }
  const interpolation = FILTERS[integer(0, 2)];
  const isStretch = number % 4 === 0;
  const resize = isStretch
    ? [integer(1, 300), integer(1, 300)]
    : [256, 232, 224, integer(1, 300)][integer(0, 3)];
  const crop = isStretch
    ? resize.map((length) => integer(1, length))
    : integer(0, 1)
      ? Math.min(224, resize)
      : integer(1, resize);
  const [kind, period] = [integer(0, 2), integer(1, 9)];
  const data = Uint8Array.from({ length: width * height * 3 }, (_, i) =>
    kind === 0 ? integer(0, 255) : kind === 1 ? integer(0, 1) * 255 : (Math.floor(i / period) * 37) % 256,
  );
  return { pixels: { data, width, height }, spec: { resize, crop, interpolation } };
}

const FILTERS = ["bilinear", "bicubic", "nearest"];

/** What this Pillow makes of the resizes of the attestation, by name. */
async function theirDigests() {
  const pictures = {};
  const { resize: lengths, stretch } = steps();
  for (const interpolation of FILTERS) {
    for (const [shape, sizes] of [...Object.entries(lengths), ...Object.entries(stretch)]) {
      for (const [width, height, resize] of sizes) {
        const size = resizedSize(width, height, resize);
        const request = { op: "resize", width, height, size: [size.width, size.height], interpolation };
        const data = await ask(request, pattern(width, height).data);
        (pictures[resizeName(interpolation, shape, resize)] ??= []).push({ ...size, data });
      }
    }
  }
  return Object.fromEntries(Object.entries(pictures).map(([name, made]) => [name, digestOf(made)]));
}

const [theirs, own] = [await theirDigests(), await ownDigests()];
const axes = {};
for (const interpolation of FILTERS) {
  for (const resize of [256, [256, 256]]) {
    const spec = { resize, crop: 224, interpolation, mean: [0, 0, 0], std: [1, 1, 1] };
    Object.assign(axes, attest(theirs, own, spec, "worker").resize);
  }
}
console.log(`first axis: ${JSON.stringify(axes)}`);
let mismatches = 0;
const started = performance.now();
for (let number = from; number < from + cases; number++) {
  const { pixels, spec } = makeCase(number);
  const { width, height } = pixels;
  const size = resizedSize(width, height, spec.resize);
  const crop = cropSize(spec);
  const [left, top] = [cropOffset(size.width, crop.width), cropOffset(size.height, crop.height)];
  const box = [left, top, left + crop.width, top + crop.height];
  const { interpolation } = spec;
  const request = { op: "resize", width, height, size: [size.width, size.height], interpolation, box };
  const want = await ask(request, pixels.data);
  const first = firstAxis({ resize: axes }, pixels, spec);
  if (first === undefined || Buffer.compare(resizeAndCrop(pixels, spec, { first }).data, want) !== 0) {
    mismatches++;
    const what = `${width}x${height} ${JSON.stringify(spec)}`;
    console.log(`mismatch in case ${number}: ${what}; repeat with --seed ${seed} --from ${number} --cases 1`);
  }
}
oracle.end();
const seconds = ((performance.now() - started) / 1000).toFixed(0);
console.log(`seed ${seed}: ${cases} cases, ${mismatches} mismatches, ${seconds} s`);
process.exitCode = mismatches === 0 ? 0 : 1;
