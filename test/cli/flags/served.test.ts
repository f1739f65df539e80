import { expect, test } from "vitest";
import { parserOf } from "../../../src/cli/flags/description.ts";
import { classifierOptions, parseFlags } from "../../../src/cli/flags/flags.ts";
import { servedOf } from "../../../src/cli/flags/served.ts";
import { SERVE } from "../../../src/cli/describe/serve.ts";
import { IsotorchError } from "../../../src/base/errors.ts";

/** Name, model, weights and labels of each network that a command line asks for. */
function served(line: string): unknown[] {
  const { values } = parseFlags(line === "" ? [] : line.split(" "), parserOf(SERVE));
  return servedOf(values).map(({ name, values: own }) => {
    const { model, weights, labels } = classifierOptions(own);
    return [name, model, weights, labels];
  });
}

const none = undefined;

test.each([
  ["", [[none, none, none, none]]],
  ["--weights ./mine.pth --labels a.txt", [[none, none, "./mine.pth", "a.txt"]]],
  ["--model resnet50", [[none, "resnet50", none, none]]],
  [
    "--model resnet50 --model vit_b_16 --weights untrained:0",
    [
      ["resnet50", "resnet50", "untrained:0", none],
      ["vit_b_16", "vit_b_16", "untrained:0", none],
    ],
  ],
  [
    "--model resnet50=IMAGENET1K_V2 --model flowers=./f.pth --labels flowers=f.txt",
    [
      ["resnet50", "resnet50", "IMAGENET1K_V2", none],
      ["flowers", none, "./f.pth", "f.txt"],
    ],
  ],
  [
    "--model a=./a.pth --model b=./b.pth --labels all.txt --labels b=b.txt",
    [
      ["a", none, "./a.pth", "all.txt"],
      ["b", none, "./b.pth", "b.txt"],
    ],
  ],
])("%s", (line, expected) => {
  expect(served(line)).toEqual(expected);
});

test.each([
  ["--model resnet50 --model resnet50", "twice"],
  ["--model resnet50 --model resnett18", "resnett18"],
  ["--model flowers=IMAGENET1K_V2", "flowers"],
  ["--model flowers=", "NAME=WEIGHTS"],
])("refused: %s", (line, says) => {
  expect(() => served(line)).toThrow(IsotorchError);
  expect(() => served(line)).toThrow(says);
});
