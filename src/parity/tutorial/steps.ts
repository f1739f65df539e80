/** The tutorial's statements in its own order, each with what the prompt prints after it. */
import { cropSize } from "../../image/resample/geometry.ts";
import type { WireSpec } from "../../protocol/messages.ts";
import { isOlder } from "../../python/probe.ts";
import { pythonFloat } from "../compare/python-float.ts";
import { network, variableOf } from "./network.ts";
import type { NetworkFacts } from "./network.ts";
import { printTensor } from "./print.ts";
import { reprList, reprText, reprTuple } from "./repr.ts";
import { step } from "./step.ts";
import type { TutorialStep } from "./step.ts";

/** Everything that the outputs are made from; the numbers are torch's own. */
export interface TutorialFacts extends NetworkFacts {
  readonly image: string;
  /** Of the decoded picture, pixels. */
  readonly width: number;
  readonly height: number;
  /** `dir(models)`. */
  readonly models: readonly string[];
  readonly torchvision: string;
  readonly spec: WireSpec;
  readonly torch: string;
  /** Of the layer that makes the logits. */
  readonly head: { readonly type: string };
  readonly labels: readonly string[];
  /** The label file as it is shown, where it is, and its encoding by Python's name; null where classes have numbers alone. */
  readonly labelFile: { readonly shown: string; readonly path: string; readonly encoding: string } | null;
  /** float32, one per class. */
  readonly logits: Float32Array;
  /** float32 softmax times 100, one per class. */
  readonly percentages: Float32Array;
  /** Classes, best first, as `torch.sort` orders them. */
  readonly order: readonly number[];
}

const BEST = 5;

/** What `repr()` writes for the place in memory, which no two runs share. */
export const ADDRESS = "0x…";

/** The steps of one picture. */
export function tutorialSteps(facts: TutorialFacts): TutorialStep[] {
  const { width, height, logits, order } = facts;
  const pair = (index: number): string =>
    reprTuple([reprText(facts.labels[index] ?? ""), pythonFloat(facts.percentages[index] ?? Number.NaN)]);
  const best = largest(logits);
  return [
    step("from torchvision import models"),
    step("dir(models)", reprList(facts.models.map(reprText))),
    ...network(facts),
    step("from torchvision import transforms"),
    step(compose(facts.spec)),
    step("preprocess", composeRepr(facts)),
    step("from PIL import Image"),
    step(`img = Image.open(${reprText(facts.image)}).convert('RGB')`),
    step("img", `<PIL.Image.Image image mode=RGB size=${width}x${height} at ${ADDRESS}>`),
    step("img_t = preprocess(img)"),
    step("import torch"),
    step("batch_t = torch.unsqueeze(img_t, 0)"),
    step(`out = ${variableOf(facts.model)}(batch_t)`),
    step("out", printTensor(logits, [1, logits.length], [`grad_fn=<${madeBy(facts)}>`])),
    labelsStep(facts),
    step("_, index = torch.max(out, 1)"),
    step("index", `tensor([${best}])`),
    step("percentage = torch.nn.functional.softmax(out, dim=1)[0] * 100"),
    step("labels[index[0]], percentage[index[0]].item()", pair(best)),
    step("_, indices = torch.sort(out, descending=True)"),
    step(
      "[(labels[idx], percentage[idx].item()) for idx in indices[0][:5]]",
      reprList(order.slice(0, BEST).map(pair)),
    ),
  ];
}

/** What autograd calls the last step, which `repr()` names. */
function madeBy({ model, head, torch }: TutorialFacts): string {
  // After a convolution as head the picture's two sizes of 1 are flattened; maxvit's head alone has no bias.
  if (head.type === "Conv2d") return isOlder(torch, "2.1") ? "ReshapeAliasBackward0" : "ViewBackward0";
  return model === "maxvit_t" ? "MmBackward0" : "AddmmBackward0";
}

function compose({ resize, crop, mean, std, interpolation }: WireSpec): string {
  // Bilinear is the default, and the tutorial names none.
  const mode = `interpolation=transforms.InterpolationMode.${interpolation.toUpperCase()}`;
  const filter = interpolation === "bilinear" ? "" : `, ${mode}`;
  return [
    "preprocess = transforms.Compose([",
    `    transforms.Resize(${sides(resize)}${filter}),`,
    `    transforms.CenterCrop(${sides(crop)}),`,
    "    transforms.ToTensor(),",
    `    transforms.Normalize(mean=${floats(mean)}, std=${floats(std)})`,
    "])",
  ].join("\n");
}

function composeRepr({ spec, torchvision }: TutorialFacts): string {
  const { resize, mean, std, interpolation } = spec;
  const { width, height } = cropSize(spec);
  const rest = `interpolation=${interpolation}, max_size=None, antialias=${antialias(torchvision)}`;
  return [
    "Compose(",
    `    Resize(size=${sides(resize)}, ${rest})`,
    `    CenterCrop(size=(${height}, ${width}))`,
    "    ToTensor()",
    `    Normalize(mean=${floats(mean)}, std=${floats(std)})`,
    ")",
  ].join("\n");
}

function sides(given: WireSpec["resize"]): string {
  return typeof given === "number" ? `${given}` : reprTuple(given.map(String));
}

/** The default of `Resize(antialias=…)`, which pictures of Pillow never obey; it changed twice. */
function antialias(torchvision: string): string {
  if (isOlder(torchvision, "0.15")) return "None";
  return isOlder(torchvision, "0.17") ? "warn" : "True";
}

function labelsStep({ labelFile, classes }: TutorialFacts): TutorialStep {
  if (labelFile === null) return step(`labels = [f'class {number}' for number in range(${classes})]`);
  const { shown, path, encoding } = labelFile;
  const text = (file: string): string =>
    `with open(${reprText(file)}, encoding=${reprText(encoding)}) as f:\n    labels = [line.strip() for line in f.readlines()]`;
  return { python: text(shown), runs: text(path), output: "" };
}

function floats(values: readonly number[]): string {
  return reprList(values.map(pythonFloat));
}

/** The first of the largest, as `torch.max` answers. */
function largest(values: Float32Array): number {
  let best = 0;
  for (const [index, value] of values.entries()) if (value > (values[best] ?? value)) best = index;
  return best;
}

/** Where the tutorial's text cannot be typed as it stands, or does not do what it means: its words, and what became of them. */
export function mendings({
  asWritten,
  model,
  weights,
}: Pick<TutorialFacts, "asWritten" | "model" | "weights">): readonly (readonly [
  seed: string,
  mended: string,
])[] {
  const named = weights.name.startsWith("IMAGENET1K_");
  return [
    ["models.resent101", "models.resnet101: a misprint, there is no such network"],
    ...(model === "resnet101"
      ? []
      : [["models.resnet101", `models.${model}: the network that was asked for`] as const]),
    ...(named
      ? []
      : [["resnet101(pretrained=True)", `the weights that were asked for: ${weights.name}`] as const]),
    [
      "mean=[…], std=[…] )",
      "transforms.Normalize(mean=[…], std=[…]): the name is lost, its bracket is there",
    ],
    ["[0.485,0.456,0,406]", "0.406: with the comma there are four means for three channels"],
    ["open(''D:/…')", "one quote on each side; a typographic one is no better"],
    ["labels[[]idx]", "labels[idx]: stray brackets"],
    ["lost indentation, '? ? ?'", "four spaces where a block needs them: each ? was a blank"],
    ["加载映射关系", "left out: a comment that lost its #"],
    ["labels[index[0]]", "kept: index is a tensor of one element, which a list takes; `index` shows it"],
    ["D:/pytorchProject/data/1/…", "the files that were given; with \\ instead of / Windows paths need r'…'"],
    ["Image.open(…)", "Image.open(…).convert('RGB'): grey, palette and alpha pictures have other channels"],
    ["open(…)", "open(…, encoding='utf-8'): Windows would take another"],
    ["preprocess = …", "`preprocess` is shown too: the text only assigns it"],
    asWritten
      ? [
          "no resnet.eval()",
          "left out, as written: BatchNorm normalises with the one picture's own statistics",
        ]
      : [
          "no resnet.eval()",
          "added, as in the book: without it BatchNorm takes the one picture's own statistics",
        ],
  ];
}
