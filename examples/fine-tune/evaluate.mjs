// The fine-tuned network from TypeScript, with its own ten labels and its own preprocessing, beside plain PyTorch's logits.
//
//   node examples/fine-tune/evaluate.mjs OUT [--threads N]
//
// OUT is what train.py, fashion.py and plain.py wrote. Exits with 1 where a bit differs.
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { createClassifier } from "isotorch";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { threads: { type: "string", default: "2" } },
});
const [out] = positionals;
if (out === undefined) throw new Error("usage: node examples/fine-tune/evaluate.mjs OUT");

const tree = join(out, "t10k");
const pictures = readdirSync(tree)
  .toSorted()
  .flatMap((folder) =>
    readdirSync(join(tree, folder))
      .toSorted()
      .map((name) => ({ path: join(tree, folder, name), label: Number(folder) })),
  );

const classifier = await createClassifier({
  weights: join(out, "fashion.pth"),
  labels: join(out, "labels.txt"),
  transforms: JSON.parse(readFileSync(join(out, "transforms.json"), "utf8")),
  threads: Number(values.threads),
});
const { model, classes, device, threads } = classifier.info();
console.log(`the file is ${model}'s with ${classes} classes; ${device}, ${threads} threads`);

const expected = readFileSync(join(out, "logits.bin"));
const bytes = classes * Float32Array.BYTES_PER_ELEMENT;
let [at, correct, differing] = [0, 0, 0];
const paths = pictures.map(({ path }) => path);
for await (const { status, value, reason } of classifier.classifyStream(paths, {
  include: { logits: true },
})) {
  if (status === "rejected") throw reason;
  const { buffer, byteOffset, byteLength } = value.logits;
  const theirs = expected.subarray(at * bytes, (at + 1) * bytes);
  if (!Buffer.from(buffer, byteOffset, byteLength).equals(theirs)) differing += 1;
  if (value.top[0].index === pictures[at].label) correct += 1;
  if (at === 0) console.log(`${paths[0]}: ${value.top[0].label}, ${value.top[0].percent.toFixed(1)} %`);
  at += 1;
}
await classifier.close();

const isWhole = at * bytes === expected.length;
console.log(`isotorch:      top-1 ${((100 * correct) / at).toFixed(3)} % (${correct} of ${at})`);
console.log(
  differing === 0 && isWhole
    ? `all ${at} x ${classes} logits have the bits of plain PyTorch`
    : `${differing} of ${at} pictures DIFFER${isWhole ? "" : ", and plain PyTorch had another number of them"}`,
);
process.exitCode = differing === 0 && isWhole ? 0 : 1;
