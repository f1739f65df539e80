// The real network, untrained, in the cache of the tests.
import { fileURLToPath } from "node:url";
import { createClassifier } from "../../dist/index.js";
import { PYTHON } from "./stub.mjs";

export const CACHE_DIR = fileURLToPath(new URL("../../node_modules/.cache/isotorch-test", import.meta.url));

/** For short runs: real layers, and a two hundredth of resnet101's work. */
export const SMALL = "shufflenet_v2_x0_5";

export function startReal(options = {}) {
  return createClassifier({
    weights: "untrained:0",
    cacheDir: CACHE_DIR,
    threads: 2,
    device: "cpu",
    python: PYTHON,
    supervision: { restartDelaysMs: [20], maxExits: 1_000_000 },
    ...options,
  });
}
