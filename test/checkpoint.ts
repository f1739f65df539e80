import { execFileSync } from "node:child_process";
import { createHash, randomUUID } from "node:crypto";
import { existsSync, mkdirSync, renameSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { ClassifierOptions } from "../src/classification/options.ts";
import { PYTHON } from "./python.ts";

/** Where the tests keep the checkpoint that the first of them makes; not the user's cache. */
export const CACHE_DIR: string = fileURLToPath(
  new URL("../node_modules/.cache/isotorch-test", import.meta.url),
);

/** Writes a checkpoint as Lightning does, of a squeezenet1_1 with ten classes. */
const LIGHTNING = `
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

/** A checkpoint as Lightning writes it, of a squeezenet1_1 with ten classes. */
export const lightning = (): string => savedBy(LIGHTNING);

/** The file that a script of Python saves as `sys.argv[1]`; made once for all tests, which only read it. */
export function savedBy(script: string): string {
  const path = join(CACHE_DIR, `saved-${createHash("sha256").update(script).digest("hex").slice(0, 16)}.pth`);
  if (existsSync(path)) return path;
  mkdirSync(CACHE_DIR, { recursive: true });
  // Whole or not at all, whoever else makes it meanwhile.
  const part = `${path}.${randomUUID()}`;
  execFileSync(PYTHON, ["-c", script, part], { stdio: ["ignore", "ignore", "pipe"] });
  renameSync(part, path);
  return path;
}
