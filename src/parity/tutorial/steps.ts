/** The tutorial's statements in its own order, each with what the prompt prints after it. */
import { cropSize } from "../../image/resample/geometry.ts";
import type { WireSpec } from "../../protocol/messages.ts";
import { isOlder } from "../../python/probe.ts";
import { pythonFloat } from "../compare/python-float.ts";
import { printTensor } from "./print.ts";
import { reprList, reprText, reprTuple } from "./repr.ts";

/** One statement typed at the prompt. */
export interface TutorialStep {
  /** The statement as it is shown; further lines are continuation lines. */
  readonly python: string;
  /** What is run in its stead where the shown one would download, or names a file of this package. */
  readonly runs?: string;
  /** What the prompt prints, without the last line end; empty for nothing. */
  readonly output: string;
}

/** Everything that the outputs are made from; the numbers are torch's own. */
export interface TutorialFacts {
  readonly image: string;
  /** Of the decoded picture, pixels. */
  readonly width: number;
  readonly height: number;
  /** `dir(models)`. */
  readonly models: readonly string[];
  readonly torchvision: string;
  readonly spec: WireSpec;
  readonly weights: { readonly name: string; readonly path: string };
  readonly asWritten: boolean;
  readonly labels: readonly string[];
  /** The label file as it is shown, where it is, and its encoding by Python's name. */
  readonly labelFile: { readonly shown: string; readonly path: string; readonly encoding: string };
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
    step("out = resnet(batch_t)"),
    step("out", printTensor(logits, [1, logits.length], ["grad_fn=<AddmmBackward0>"])),
    labelsStep(facts.labelFile),
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

function step(python: string, output = ""): TutorialStep {
  return { python, output };
}

/** The steps that make the network. Only the default weights have a line in the tutorial's own words. */
function network({ weights, asWritten }: TutorialFacts): TutorialStep[] {
  const load = `resnet.load_state_dict(torch.load(${reprText(weights.path)}, map_location='cpu'))`;
  const runs = `import torch; resnet = models.resnet101(); _ = ${load}`;
  const made: TutorialStep[] =
    weights.name === "IMAGENET1K_V1"
      ? [{ python: "resnet = models.resnet101(pretrained=True)", runs, output: "" }]
      : weights.name === "IMAGENET1K_V2"
        ? [{ python: "resnet = models.resnet101(weights='IMAGENET1K_V2')", runs, output: "" }]
        : [
            step("import torch"),
            step("resnet = models.resnet101()"),
            {
              python: load.replace(reprText(weights.path), reprText(basename(weights.path))),
              runs: load,
              output: "<All keys matched successfully>",
            },
          ];
  return asWritten ? made : [...made, step("resnet = resnet.eval()")];
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

function labelsStep({ shown, path, encoding }: TutorialFacts["labelFile"]): TutorialStep {
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

function basename(path: string): string {
  return path.slice(Math.max(path.lastIndexOf("/"), path.lastIndexOf("\\")) + 1);
}

/** Where the tutorial's text cannot be typed as it stands, or does not do what it means: its words, and what became of them. */
export function mendings({
  asWritten,
  weights,
}: Pick<TutorialFacts, "asWritten" | "weights">): readonly (readonly [seed: string, mended: string])[] {
  const named = weights.name.startsWith("IMAGENET1K_");
  return [
    ["models.resent101", "models.resnet101: a misprint, there is no such network"],
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
