/** A checkpoint of one's own: what the command says of it, and whose names its classes have. */
import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { unlabelled } from "../../../src/classification/labels/unlabelled.ts";
import { run } from "../../../src/cli/commands/classify.ts";
import { savedBy } from "../../checkpoint.ts";
import { SAID } from "../../info.ts";
import { PYTHON } from "../../python.ts";
import { printed } from "../printed.ts";

const IMAGE = fileURLToPath(new URL("../../../examples/images/landscape.jpg", import.meta.url));
const SAVE = `
import sys, torch, torchvision
torch.manual_seed(0)
state = torchvision.models.shufflenet_v2_x0_5(num_classes=10).state_dict()
torch.save({"epoch": 3, "model_ema": {f"module.{name}": value for name, value in state.items()}}, sys.argv[1])`;

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "own-file-test-"));
  copyFileSync(savedBy(SAVE), join(folder, "mine.pth"));
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

test("says what was found in the file, and that no labels came with it, once each", async () => {
  const argv = [IMAGE, IMAGE, "--weights", join(folder, "mine.pth"), "--python", PYTHON, "--threads", "1"];
  const scored = [
    "--activation",
    "sigmoid",
    "--threshold",
    "0.0001",
    "--top-k",
    "0",
    "--include",
    "embedding",
  ];
  const { code, stdout, stderr } = await printed(run, [...argv, ...scored, "--json"]);
  expect({ code, stderr }).toMatchObject({ code: 0 });
  expect(stderr.match(/mine\.pth is shufflenet_v2_x0_5's with 10 classes/g)).toHaveLength(1);
  expect(stderr).toMatch(
    /its state dict stands at model_ema; module\. was taken off the front of each name\.\n/,
  );
  expect(
    stderr.match(/No labels came with mine\.pth: its classes are called class 0 to class 9/g),
  ).toHaveLength(1);
  const [first] = stdout.split("\n");
  const { top, embedding } = JSON.parse(first ?? "") as {
    top: { label: string; index: number; score: number }[];
    embedding: number[];
  };
  expect(embedding).toHaveLength(1024);
  expect(top).toHaveLength(10);
  for (const { label, index } of top) expect(label).toBe(`class ${index}`);
  // Each for itself: ten probabilities would sum to 1.
  expect(top.reduce((sum, { score }) => sum + score, 0)).toBeGreaterThan(1.5);
});

describe("what is said where no labels were given", () => {
  const own = (classes: number, trained: boolean | null = null) => {
    return { ...SAID, classes, weights: { ...SAID.weights, path: "/data/mine.pth", trained } };
  };

  test.each([
    [
      own(10),
      "No labels came with mine.pth: its classes are called class 0 to class 9; `labels` (--labels) gives others.",
    ],
    [
      own(1),
      "No labels came with mine.pth: its classes are called class 0; `labels` (--labels) gives others.",
    ],
    [
      own(1000),
      "No labels came with mine.pth: its 1000 classes are taken for ImageNet's; `labels` (--labels) gives others.",
    ],
  ])("of a file of one's own %#", (info, sentence) => {
    expect(unlabelled(info)).toEqual([sentence]);
  });

  test("of weights by name and of untrained ones is nothing", () => {
    expect(unlabelled(own(1000, true))).toEqual([]);
    expect(unlabelled(own(1000, false))).toEqual([]);
  });
});
