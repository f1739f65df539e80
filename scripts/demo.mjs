// `npm run demo [-- IMAGE…]`: the top five from TypeScript beside those of a plain PyTorch script, bit by bit.
import { createHash } from "node:crypto";
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { IsotorchError, createClassifier } from "../dist/index.js";

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));
const say = (line = "") => process.stdout.write(`${line}\n`);

const given = process.argv.slice(2);
const examples = path("../examples/images/");
const images =
  given.length > 0
    ? given
    : readdirSync(examples)
        .toSorted()
        .map((name) => `${examples}${name}`);

const UNTRAINED = `THE NETWORK IS UNTRAINED (untrained:0): its labels and percentages mean nothing about the pictures.`;

const { classifier, trained } = await open();
const { executable, versions, device, threads, weights, spec } = classifier.info();
say(
  `torch ${versions.torch}, torchvision ${versions.torchvision}, ${device}, ${threads} threads, resize ${JSON.stringify(spec.resize)}`,
);
say(`weights ${weights.name}, sha256 ${weights.sha256}`);
if (!trained) say(`\n${UNTRAINED}`);

const started = performance.now();
const results = [];
for await (const result of classifier.classifyStream(images, { include: { logits: true, tensor: true } }))
  results.push(result);
const elapsed = performance.now() - started;
await classifier.close();

// The same pictures in a process of their own, in a script that shares no code with the worker.
const plain = spawnSync(
  executable,
  [
    "-I",
    "-X",
    "utf8",
    path("../python/plain.py"),
    "--checkpoint",
    weights.path,
    "--threads",
    String(threads),
    "--labels",
    path("../models/imagenet_classes.txt"),
    "--transforms",
    weights.transforms,
    ...images,
  ],
  { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"], maxBuffer: 64 * 1024 * 1024 },
);
if (plain.status !== 0)
  throw new Error(`the plain PyTorch script ended with ${plain.status ?? plain.signal}`);
const references = plain.stdout
  .trim()
  .split("\n")
  .map((line) => JSON.parse(line));

let differing = 0;
for (const [index, image] of images.entries()) {
  const result = results[index];
  const reference = references[index];
  say(`\n${image.replace(examples, "examples/images/")}`);
  if (result.status === "rejected") {
    say(`  ${result.reason.code}: ${result.reason.message}`);
    differing += 1;
    continue;
  }
  const { top, logits, tensor } = result.value;
  say(`  ${"TypeScript".padEnd(52)}plain PyTorch`);
  for (const [rank, ours] of top.entries()) {
    const theirs = reference.top5[rank];
    say(`  ${row(ours).padEnd(52)}${row(theirs)}`);
  }
  const equal = {
    tensor: sha256(tensor.data) === reference.tensor_sha256,
    logits: sha256(logits) === reference.logits_sha256,
    "top five": top.every(
      (ours, rank) =>
        ours.index === reference.top5[rank].index && ours.percent === reference.top5[rank].percent,
    ),
  };
  if (!Object.values(equal).every(Boolean)) differing += 1;
  say(
    `  ${Object.entries(equal)
      .map(([what, same]) => `${what}: ${same ? "the same bits" : "DIFFERENT"}`)
      .join(", ")}`,
  );
}
say();
if (!trained) say(`${UNTRAINED}\n`);
say(
  differing === 0
    ? `${images.length} pictures, all equal to plain PyTorch to the last bit. ${(elapsed / images.length).toFixed(0)} ms each from TypeScript.`
    : `${differing} of ${images.length} pictures DIFFER from plain PyTorch.`,
);
const told = tellSentence();
process.exitCode = differing === 0 && told ? 0 : 1;

/** The network that ships has learnt something: what it tells, and whether plain PyTorch tells the same, as the commands say it. */
function tellSentence() {
  const prompt = "In the beginning";
  const how = [
    "--model",
    "tiny",
    "--python",
    executable,
    "--threads",
    String(threads),
    "--temperature",
    "0.8",
  ];
  const isotorch = (...args) =>
    spawnSync(process.execPath, [path("../dist/cli/main.js"), ...args, ...how], { stdio: "inherit" })
      .status === 0;
  say(
    `\nA text, by the network that ships. It has learnt from the King James Bible, and knows nothing. ${prompt} …\n`,
  );
  const isWritten = isotorch("generate", prompt, "--max-tokens", "40", "--seed", "7");
  say("\n\nThe same beside plain PyTorch, greedily and by that seed:\n");
  return isotorch("parity", prompt, "--max-tokens", "40", "--seeds", "7") && isWritten;
}

/** Trained weights where they are here or can be had; the demo alone goes on without them, and says so. */
async function open() {
  try {
    return { classifier: await createClassifier(), trained: true };
  } catch (error) {
    if (!(error instanceof IsotorchError) || !["DOWNLOAD_FAILED", "WEIGHTS_NOT_FOUND"].includes(error.code))
      throw error;
    say(`${error.message}\n${error.hint ?? ""}\nThe demo goes on with an untrained network.\n`);
    return { classifier: await createClassifier({ weights: "untrained:0" }), trained: false };
  }
}

function row({ label, percent }) {
  return `${String(percent).padEnd(21)} ${label.slice(0, 28)}`;
}

function sha256(array) {
  return createHash("sha256")
    .update(new Uint8Array(array.buffer, array.byteOffset, array.byteLength))
    .digest("hex");
}
