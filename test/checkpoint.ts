import { join } from "node:path";
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

/** A network with the kinds of layers that resnet101 has, and a two hundredth of its work. */
export const MODEL = "shufflenet_v2_x0_5";

/** A real network that has learnt nothing, on two threads. */
export const UNTRAINED: ClassifierOptions = {
  model: MODEL,
  weights: "untrained:0",
  cacheDir: CACHE_DIR,
  threads: 2,
  device: "cpu",
  python: PYTHON,
};

/** The flags of a command that say the same of its network. */
export const NETWORK: readonly string[] = [
  "--model",
  MODEL,
  "--weights",
  "untrained:0",
  "--cache-dir",
  CACHE_DIR,
  "--threads",
  "2",
  "--device",
  "cpu",
];

/** Where the checkpoint `untrained:0` of a network is, once a worker has made it. */
export function checkpointOf(model: string): string {
  return join(CACHE_DIR, `${model}-untrained-0.pth`);
}
