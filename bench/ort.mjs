// The rival onnxruntime-node: a process of its own, asked in lines of JSON. Times are milliseconds.
import { InferenceSession, Tensor } from "onnxruntime-node";
import sharp from "sharp";
import { preprocess } from "../dist/index.js";
import { answerLines } from "./lib/child.mjs";

const CROP = 224;
const PLANE = CROP * CROP;
const MEAN = [0.485, 0.456, 0.406];
const STD = [0.229, 0.224, 0.225];
const sessions = {};
await answerLines({
  /** Two sessions: with threads that spin while they wait, its default, and without: on busy cores that is faster. */
  async load({ path, threads }) {
    for (const [waiting, spin] of Object.entries({ spinning: "1", passive: "0" })) {
      sessions[waiting] = await InferenceSession.create(path, {
        intraOpNumThreads: threads,
        graphOptimizationLevel: "all",
        extra: { session: { intra_op: { allow_spinning: spin } } },
      });
    }
  },

  /** Pictures to top five; the next batch is prepared while this one is computed. */
  async classify({ paths, batch, waiting, own }) {
    // isotorch, in this process for its preprocessing, closes all but three of sharp's loaders; the rival is to have them all.
    if (own) sharp.unblock({ operation: ["VipsForeignLoad"] });
    const prepare = own ? withSharp : async (path) => (await preprocess(path)).data;
    const groups = [];
    for (let i = 0; i < paths.length; i += batch) groups.push(paths.slice(i, i + batch));
    const best = [];
    const start = performance.now();
    let coming = Promise.all(groups[0].map(prepare));
    for (const [i, group] of groups.entries()) {
      const ready = await coming;
      const data = new Float32Array(group.length * 3 * PLANE);
      for (const [at, picture] of ready.entries()) data.set(picture, at * 3 * PLANE);
      const running = sessions[waiting].run({
        input: new Tensor("float32", data, [group.length, 3, CROP, CROP]),
      });
      coming = Promise.all((groups[i + 1] ?? []).map(prepare));
      const { logits } = await running;
      const classes = logits.dims[1];
      for (let at = 0; at < group.length; at++) {
        best.push(topFive(logits.data.subarray(at * classes, (at + 1) * classes))[0].index);
      }
    }
    return { elapsed: performance.now() - start, best };
  },
});
process.exit(0);

/** What one writes with sharp alone: it may shrink while it decodes. Not the tensor that torchvision gives. */
async function withSharp(path) {
  const pixels = await sharp(path)
    .resize(256, 256, { fit: "outside", kernel: "linear" })
    .toColourspace("srgb")
    .removeAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true });
  const { width, height } = pixels.info;
  const left = Math.round((width - CROP) / 2);
  const top = Math.round((height - CROP) / 2);
  const out = new Float32Array(3 * PLANE);
  for (let y = 0, i = 0; y < CROP; y++) {
    let source = ((top + y) * width + left) * 3;
    for (let x = 0; x < CROP; x++, i++, source += 3) {
      for (let channel = 0; channel < 3; channel++) {
        out[channel * PLANE + i] = (pixels.data[source + channel] / 255 - MEAN[channel]) / STD[channel];
      }
    }
  }
  return out;
}

function topFive(logits) {
  const highest = logits.reduce((a, b) => Math.max(a, b));
  const powers = Array.from(logits, (value) => Math.exp(value - highest));
  const sum = powers.reduce((a, b) => a + b);
  return powers
    .map((power, index) => ({ index, percent: (power / sum) * 100 }))
    .toSorted((a, b) => b.percent - a.percent)
    .slice(0, 5);
}
