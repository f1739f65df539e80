/** `isotorch` for the samples of the documentation: all of it real, but for the network, whose answer is the book's. */
import { IsotorchError } from "./dist/index.js";
import { createFakeClassifier, createFakeGenerator } from "./dist/testing.js";

const TOP = [
  { index: 207, label: "golden retriever", score: 0.9629334259033203, percent: 96.29334259033203 },
  { index: 208, label: "Labrador retriever", score: 0.0280812406539917, percent: 2.80812406539917 },
  { index: 219, label: "cocker spaniel", score: 0.0028267428278923035, percent: 0.28267428278923035 },
  { index: 168, label: "redbone", score: 0.002086310237646103, percent: 0.2086310237646103 },
  { index: 852, label: "tennis ball", score: 0.0011621569097042084, percent: 0.11621569097042084 },
];
const answer = () => ({
  top: TOP,
  logits: new Float32Array(1000),
  probabilities: new Float32Array(1000),
  embedding: { data: new Float32Array(2048), shape: [2048] },
});

export * from "./dist/index.js";

export async function createClassifier(options = {}) {
  // A test asks for starts that fail.
  if (globalThis.failingStarts > 0) {
    globalThis.failingStarts -= 1;
    throw new IsotorchError("ENVIRONMENT_NOT_FOUND", "There is no Python yet.");
  }
  const classifier = await createFakeClassifier(answer, { readImages: true });
  await classifier.reload(options); // which checks the options as the real one does
  return classifier;
}

export function createGenerator() {
  return createFakeGenerator(() => " was found in a field near the intersection of West and West Streets");
}

export async function classify(image, options) {
  return (await createClassifier()).classify(image, options);
}
