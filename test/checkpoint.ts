import { fileURLToPath } from "node:url";
import type { ClassifierOptions } from "../src/classification/options.ts";
import { PYTHON } from "./python.ts";

/** Where the tests keep the checkpoint that the first of them makes; not the user's cache. */
export const CACHE_DIR: string = fileURLToPath(
  new URL("../node_modules/.cache/isotorch-test", import.meta.url),
);

/** Writes a checkpoint as Lightning does, of a squeezenet1_1 with ten classes: `python -c … FILE`. */
export const LIGHTNING = `
import sys, torch
from torchvision import models
torch.manual_seed(7)
network = models.squeezenet1_1(weights=None, num_classes=10)
state = {"model." + name: value for name, value in network.state_dict().items()}
torch.save({"epoch": 3, "lr": 0.01, "state_dict": state, "optimizer_states": []}, sys.argv[1])
`;

/** A real network that has learnt nothing, on two threads. */
export const UNTRAINED: ClassifierOptions = {
  weights: "untrained:0",
  cacheDir: CACHE_DIR,
  threads: 2,
  device: "cpu",
  python: PYTHON,
};
