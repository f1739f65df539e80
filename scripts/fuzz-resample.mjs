// Compares the resampler with Pillow on random pictures, sizes, filters and crops.
//
//   npm run build && node scripts/fuzz-resample.mjs --cases 20000 --seed 1
//
// Prints the seed, the number of cases and the mismatches; exits with 1 when there is any. The same seed gives the same
// cases; --from N --cases 1 repeats case N alone. Python is ISOTORCH_PYTHON or /usr/bin/python3 and needs Pillow.
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { cropOffset, resizedSize } from "../dist/image/geometry.js";
import { resizeAndCrop } from "../dist/image/resample.js";

const { values } = parseArgs({
  options: {
    cases: { type: "string", default: "20000" },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    from: { type: "string", default: "0" },
  },
});
const [cases, seed, from] = [values.cases, values.seed, values.from].map(Number);

const oracle = spawn(
  process.env.ISOTORCH_PYTHON ?? "/usr/bin/python3",
  ["-u", fileURLToPath(new URL("../python/pillow_oracle.py", import.meta.url))],
  { stdio: ["pipe", "pipe", "inherit"] },
);
const output = oracle.stdout[Symbol.asyncIterator]();
let held = Buffer.alloc(0);

async function more() {
  const { done, value } = await output.next();
  if (done) throw new Error("the oracle ended early");
  held = Buffer.concat([held, value]);
}

async function ask(request, payload) {
  oracle.stdin.write(`${JSON.stringify({ ...request, bytes: payload.length })}\n`);
  oracle.stdin.write(payload);
  while (!held.includes(10)) await more();
  const line = held.indexOf(10);
  const reply = JSON.parse(held.toString("utf8", 0, line));
  const end = line + 1 + reply.bytes;
  while (held.length < end) await more();
  const body = held.subarray(line + 1, end);
  held = held.subarray(end);
  if (reply.error) throw new Error(reply.error);
  return body;
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
  const interpolation = integer(0, 1) ? "bilinear" : "bicubic";
  const resize = [256, 232, 224, integer(1, 300)][integer(0, 3)];
  const crop = integer(0, 1) ? Math.min(224, resize) : integer(1, resize);
  const [kind, period] = [integer(0, 2), integer(1, 9)];
  const data = Uint8Array.from({ length: width * height * 3 }, (_, i) =>
    kind === 0 ? integer(0, 255) : kind === 1 ? integer(0, 1) * 255 : (Math.floor(i / period) * 37) % 256,
  );
  return { pixels: { data, width, height }, spec: { resize, crop, interpolation } };
}

let mismatches = 0;
const started = performance.now();
for (let number = from; number < from + cases; number++) {
  const { pixels, spec } = makeCase(number);
  const { width, height } = pixels;
  const size = resizedSize(width, height, spec.resize);
  const [left, top] = [cropOffset(size.width, spec.crop), cropOffset(size.height, spec.crop)];
  const box = [left, top, left + spec.crop, top + spec.crop];
  const { interpolation } = spec;
  const request = { op: "resize", width, height, size: [size.width, size.height], interpolation, box };
  const want = await ask(request, pixels.data);
  if (Buffer.compare(resizeAndCrop(pixels, spec).data, want) !== 0) {
    mismatches++;
    const what = `${width}x${height} -> ${spec.resize} -> ${spec.crop} ${interpolation}`;
    console.log(`mismatch in case ${number}: ${what}; repeat with --seed ${seed} --from ${number} --cases 1`);
  }
}
oracle.stdin.end();
const seconds = ((performance.now() - started) / 1000).toFixed(0);
console.log(`seed ${seed}: ${cases} cases, ${mismatches} mismatches, ${seconds} s`);
process.exitCode = mismatches === 0 ? 0 : 1;
