// Compares what Node makes of pictures with torchvision's Resize, CenterCrop, ToTensor and Normalize, bit for bit.
//
//   npm run build && node scripts/compare-specs.mjs [--random 40] [--most N] [--seed 1] [--python PYTHON] [PICTURE ...]
//
// Specs: those of every classifier of the torchvision that is there (at most --most of them, spread out), and --random ones with
// heights and widths, black borders, every filter, odd means. Pictures: 15 of its own, four of them photographs of
// examples/images, and those that are named. For each spec the environment is asked first what it makes of the attestation's
// steps, as a worker is at its start; a picture that Node must then leave to it is counted as left. Prints the counts; exits with 1
// where a bit differs. Python is --python, ISOTORCH_PYTHON or /usr/bin/python3, and needs torchvision.
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { attest } from "../dist/image/attest/attestation.js";
import { ownDigests } from "../dist/image/attest/digests.js";
import { prepare } from "../dist/image/prepare.js";
import { DEFAULT_LIMITS } from "../dist/image/source/limits.js";
import { checkedSpec } from "../dist/image/spec.js";
import { startOracle } from "./fuzz/oracle.mjs";
import { differingBits } from "./specs/bits.mjs";
import { picturesOf } from "./specs/pictures.mjs";
import { randomSpecs } from "./specs/random.mjs";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    random: { type: "string", default: "40" },
    most: { type: "string", default: "1000" },
    seed: { type: "string", default: "1" },
    python: { type: "string", default: process.env.ISOTORCH_PYTHON ?? "/usr/bin/python3" },
  },
});
const [random, most, seed] = [values.random, values.most, values.seed].map(Number);

const oracle = startOracle(values.python);
const started = performance.now();
const named = positionals.map((path) => ({ name: path, file: readFileSync(path) }));
const pictures = [...picturesOf(seed), ...named];
const { specs: known } = await ask({ op: "specs" });
const step = Math.max(1, known.length / most);
const chosen = known.filter((_, at) => Math.floor(at / step) !== Math.floor((at - 1) / step));
const specs = [...chosen, ...randomSpecs(seed, random)];
const own = await ownDigests();

const count = { tensors: 0, values: 0, bits: 0, left: 0 };
for (const spec of specs) {
  const { digests } = await ask({ op: "attestation", spec });
  const attestation = attest(digests, own, checkedSpec(spec), "worker");
  for (const picture of pictures) await compare(picture, spec, attestation);
}
oracle.end();

const seconds = ((performance.now() - started) / 1000).toFixed(0);
console.log(
  `${specs.length} specs (${chosen.length} of ${known.length} of this torchvision, ${random} random, seed ${seed}) x ` +
    `${pictures.length} pictures: ${count.tensors} tensors, ${count.values} values, ${count.bits} differing bits; ` +
    `${count.left} left to this environment; ${seconds} s`,
);
process.exitCode = count.bits === 0 && count.tensors > 0 ? 0 : 1;

async function compare({ name, file, pixels }, spec, attestation) {
  const source = file ? { kind: "encoded", bytes: file } : { kind: "pixels", pixels };
  const want = { encoded: false, pixels: false, cropped: false, tensor: true };
  const made = await prepare({ source, spec, attestation, limits: DEFAULT_LIMITS, decode: {}, want });
  if (made.left !== undefined) {
    count.left++;
    console.log(`${name}, ${JSON.stringify(spec)}: ${made.left}`);
    return;
  }
  const { data, shape } = made.tensor;
  const size = pixels && { width: pixels.width, height: pixels.height };
  const theirs = await ask({ op: "tensor", spec, ...size }, file ?? pixels.data);
  const isShape = shape.join() === [1, ...theirs.shape].join();
  const bits = isShape ? differingBits(data, theirs.data) : data.length * 32;
  count.tensors++;
  count.values += data.length;
  count.bits += bits;
  if (bits > 0) console.log(`${name}, ${JSON.stringify(spec)}: ${bits} differing bits of [${shape}]`);
}

async function ask(request, payload) {
  const reply = await oracle.ask(request, payload);
  if (reply.error) throw new Error(`${request.op}: ${reply.error}`);
  return reply;
}
