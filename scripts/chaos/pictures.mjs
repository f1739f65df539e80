// Damaged pictures through the real path: the tensor that Pillow and torchvision make of them, or a typed error.
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { IsotorchError } from "../../dist/index.js";
import { corpusFolder } from "./corpus.mjs";
import { mutate } from "./mutate.mjs";
import { Oracle } from "./oracle.mjs";
import { SMALL, startReal } from "./real.mjs";

const EXAMPLES = fileURLToPath(new URL("../../examples/images/", import.meta.url));
/** Larger files only take longer. */
const MAX_BYTES = 150_000;
const HANG_MS = 60_000;
const MAX_RATIO = 20;
/** Every so many-th picture that has a tensor is also classified, and compared with its tensor classified. */
const CLASSIFIED = 25;

export const pictures = {
  name: "pictures",
  what: "damaged pictures through the real path, against Pillow and torchvision",
  full: { pictures: 2_000, model: "resnet101" },
  short: { pictures: 20, model: SMALL },
  async run(ledger, random, options) {
    const bases = await basePictures();
    const oracle = new Oracle();
    const classifier = await startReal({ model: options.model, supervision: {} });
    const seen = {
      same: 0,
      refused: 0,
      stricter: 0,
      classified: 0,
      wrong: [],
      untyped: [],
      hung: 0,
      codes: {},
    };
    try {
      for (let n = 0; n < options.pictures; n++) {
        const base = random.pick(bases);
        const { how, bytes } = mutate(
          random,
          base.bytes,
          bases.map((one) => one.bytes),
        );
        const label = `${n} ${base.name} ${how}`;
        const outcome = await Promise.race([
          look(classifier, oracle, bytes, label, seen),
          delay(HANG_MS, "hang", { ref: false }),
        ]);
        if (outcome === "hang") seen.hung += 1;
      }
      ledger.check("workers started", classifier.stats().starts === 1, classifier.stats().starts);
    } finally {
      await classifier.close();
      await oracle.close();
    }
    ledger.note("pictures, of kinds", `${options.pictures}, ${bases.length}`);
    ledger.check(
      "answers other than Pillow's",
      seen.wrong.length === 0,
      [seen.wrong.length, ...seen.wrong.slice(0, 5)].join(" | "),
    );
    ledger.check(
      "errors without a code",
      seen.untyped.length === 0,
      [seen.untyped.length, ...seen.untyped.slice(0, 3)].join(" | "),
    );
    ledger.check(`pictures that took longer than ${HANG_MS / 1000} s`, seen.hung === 0, seen.hung);
    ledger.note("same tensor; classified the same", `${seen.same}; ${seen.classified}`);
    ledger.note("refused by both; by isotorch alone", `${seen.refused}; ${seen.stricter}`);
    ledger.note("codes", JSON.stringify(seen.codes));
  },
};

async function look(classifier, oracle, bytes, label, seen) {
  const pixels = await oracle.pixelsOf(bytes);
  try {
    const { data, shape } = await classifier.preprocess(new Uint8Array(bytes), { timeoutMs: HANG_MS });
    if (pixels === undefined) return void seen.wrong.push(`${label} (Pillow refuses it)`);
    const expected = await tensorOf(classifier, oracle, pixels);
    if (!Buffer.from(data.buffer, data.byteOffset, data.byteLength).equals(expected))
      return void seen.wrong.push(label);
    seen.same += 1;
    if (seen.same % CLASSIFIED !== 1) return;
    const tensor = { data: new Float32Array(Uint8Array.from(expected).buffer), shape };
    const [mine, theirs] = [
      await classifier.classify(new Uint8Array(bytes)),
      await classifier.classify(tensor),
    ];
    if (JSON.stringify(mine) === JSON.stringify(theirs)) seen.classified += 1;
    else seen.wrong.push(`${label} (classified)`);
  } catch (error) {
    if (!(error instanceof IsotorchError)) return void seen.untyped.push(`${label}: ${String(error)}`);
    seen.codes[error.code] = (seen.codes[error.code] ?? 0) + 1;
    if (pixels === undefined) seen.refused += 1;
    else seen.stricter += 1;
  }
}

/** torchvision's tensor of what Pillow decoded; of a ribbon ours, because torchvision resizes all of it: gigabytes. */
async function tensorOf(classifier, oracle, pixels) {
  const { width, height } = pixels;
  if (Math.max(width, height) <= MAX_RATIO * Math.min(width, height)) {
    return oracle.tensorOf(pixels, classifier.info().spec);
  }
  const { data } = await classifier.preprocess(pixels);
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength);
}

/** The examples and one of every kind of picture that the decoder is compared on. */
async function basePictures() {
  const folder = await corpusFolder();
  const corpus = JSON.parse(readFileSync(join(folder, "corpus.json"), "utf8"));
  const made = corpus.map(({ file }) => ({ name: file, bytes: readFileSync(join(folder, file)) }));
  const examples = readdirSync(EXAMPLES).map((name) => ({
    name,
    bytes: readFileSync(join(EXAMPLES, name)),
  }));
  return [...examples, ...made].filter(({ bytes }) => bytes.length <= MAX_BYTES && bytes.length > 0);
}
