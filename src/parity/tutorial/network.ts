/** The steps that make the network: the tutorial's own words for torchvision's weights, those of a prompt for a file. */
import { fileURLToPath } from "node:url";
import { isWeightsName } from "../../checkpoints/table.ts";
import { reprText } from "./repr.ts";
import { step } from "./step.ts";
import type { TutorialStep } from "./step.ts";

/** What these steps are made from. */
export interface NetworkFacts {
  /** torchvision's name of the network. */
  readonly model: string;
  readonly classes: number;
  readonly weights: {
    readonly name: string;
    readonly path: string;
    readonly checkpointKey?: string;
    readonly prefix?: string;
  };
  /** Without `eval()`. */
  readonly asWritten: boolean;
}

/** Where the plain scripts are: what is shown may download, and what is run must not. */
const SCRIPTS = fileURLToPath(new URL("../../../python", import.meta.url));
const MATCHED = "<All keys matched successfully>";
/** Of an own file torchvision sets nothing; with its weights it does. */
const TRANSFORMS_INPUT: readonly string[] = ["googlenet", "inception_v3"];
const IMAGENET = 1000;

/** The steps from the import of torchvision to a network that answers. */
export function network(facts: NetworkFacts): TutorialStep[] {
  const { weights, asWritten, model } = facts;
  const variable = variableOf(model);
  const made = isWeightsName(weights.name) ? named(facts) : fromFile(facts);
  return asWritten ? made : [...made, step(`${variable} = ${variable}.eval()`)];
}

/** What the network is called: the tutorial's name for a ResNet. */
export function variableOf(model: string): string {
  return model.startsWith("resnet") ? "resnet" : "network";
}

/** Torchvision's weights: only the oldest have a line in the tutorial's own words. */
function named(facts: NetworkFacts): TutorialStep[] {
  const { model, weights } = facts;
  const given = weights.name === "IMAGENET1K_V1" ? "pretrained=True" : `weights=${reprText(weights.name)}`;
  const shown = `${variableOf(model)} = models.${model}(${given})`;
  return [{ python: shown, runs: `${built(facts)}; _ = ${filled(facts)}`, output: "" }];
}

/** A file: read, freed of what is around the state dict, and loaded. */
function fromFile(facts: NetworkFacts): TutorialStep[] {
  const { model, classes, weights } = facts;
  const variable = variableOf(model);
  const options = [
    ...(classes === IMAGENET ? [] : [`num_classes=${classes}`]),
    ...(TRANSFORMS_INPUT.includes(model) ? ["transform_input=True", "aux_logits=False"] : []),
  ];
  return [
    step("import torch"),
    { python: `${variable} = models.${model}(${options.join(", ")})`, runs: built(facts), output: "" },
    ...reading(weights),
    { python: `${variable}.load_state_dict(state)`, runs: filled(facts), output: MATCHED },
  ];
}

function reading({ path, checkpointKey = "", prefix = "" }: NetworkFacts["weights"]): TutorialStep[] {
  const name = reprText(path.slice(Math.max(path.lastIndexOf("/"), path.lastIndexOf("\\")) + 1));
  const isTensorsAlone = name.endsWith(".safetensors'");
  const read = isTensorsAlone ? `load_file(${name})` : `torch.load(${name}, map_location='cpu')`;
  const keys = checkpointKey === "" ? [] : checkpointKey.split(".");
  const lines = [
    ...(isTensorsAlone ? ["from safetensors.torch import load_file"] : []),
    `state = ${read}${keys.map((key) => `[${reprText(key)}]`).join("")}`,
    ...(prefix === "" ? [] : [`state = {name[${prefix.length}:]: value for name, value in state.items()}`]),
  ];
  // It was read for the statement before.
  return lines.map((python) => ({ python, runs: "pass", output: "" }));
}

/** Builds the network, for the state dict that it reads. */
function built({ model, classes, weights }: NetworkFacts): string {
  const { path, checkpointKey = "", prefix = "" } = weights;
  const read = `reference_checkpoint.load(open(${reprText(path)}, 'rb').read(), ${reprText(checkpointKey)}, ${reprText(prefix)}).state`;
  const build = `reference_network.build(${reprText(model)}, ${classes}, read)`;
  const imports = "import reference_checkpoint, reference_network";
  return `import sys; sys.path.insert(0, ${reprText(SCRIPTS)}); ${imports}; read = ${read}; ${variableOf(model)} = ${build}`;
}

function filled({ model }: NetworkFacts): string {
  return `reference_network.fill(${variableOf(model)}, read)`;
}
