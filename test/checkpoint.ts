import { fileURLToPath } from "node:url";
import type { ClassifierOptions } from "../src/classification/options.ts";
import { PYTHON } from "./python.ts";

/** Where the tests keep the checkpoint that the first of them makes; not the user's cache. */
export const CACHE_DIR: string = fileURLToPath(
  new URL("../node_modules/.cache/isotorch-test", import.meta.url),
);

/** A real network that has learnt nothing, on two threads. */
export const UNTRAINED: ClassifierOptions = {
  weights: "untrained:0",
  cacheDir: CACHE_DIR,
  threads: 2,
  device: "cpu",
  python: PYTHON,
};
