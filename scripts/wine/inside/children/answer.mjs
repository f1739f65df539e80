// One answer. Prints the worker's process and the answer; then `stay` waits for its end, else the script is over.
import { createClassifier } from "isotorch";
import { ENV, WEIGHTS } from "../harness.mjs";

const classifier = await createClassifier({ weights: WEIGHTS, env: ENV });
const [best] = await classifier.classify("landscape.jpg");
const [{ pid }] = classifier.info().workers;
process.stdout.write(`${JSON.stringify({ pid, label: best.label, percent: best.percent })}\n`);
if (process.argv[2] === "stay") setInterval(() => {}, 1_000);
