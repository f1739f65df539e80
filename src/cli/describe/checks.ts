/** The commands that compare and reproduce. */
import type { Description, FlagGroup } from "../flags/description.ts";
import { ENVIRONMENT, MANIFEST, NETWORK, PICTURES, TIMEOUT } from "./shared.ts";

const { handoff, ...ofNetwork } = NETWORK.flags;

/** Flags that only networks of texts take. */
export const OF_TEXTS: FlagGroup = {
  title: "Texts",
  flags: {
    prompts: { value: "FILE", about: "more prompts, one a line; - for stdin" },
    "max-tokens": { value: "N", about: "new tokens of each answer (default 16)" },
    seeds: {
      value: "N,N,…",
      about: "seeds of the answers that are drawn, beside the greedy one (default 1,2,3), or none",
    },
    temperature: { value: "T", about: "of the answers that are drawn (default 1)" },
    "top-k": { value: "K", about: "draw from the K likeliest tokens; 0 (default) = all" },
    "top-p": { value: "P", about: "draw from the likeliest that together have P; 1 (default) = all" },
    reference: {
      value: "NAME",
      choices: ["plain", "transformers"],
      about:
        "plain (default): GPT-2 typed out in PyTorch; transformers: theirs, where the environment has it",
    },
  },
};

export const PARITY: Description = {
  summary: "stage by stage against plain PyTorch, bit for bit; names the first stage that differs",
  usage: "PATH…|PROMPT…",
  examples: [
    "isotorch parity dog.jpg",
    "isotorch parity pictures/ --handoff all --report parity.html --report parity.xml",
    "isotorch parity dog.jpg --against old-torch --rtol 1e-4 --atol 1e-4",
    "isotorch parity pictures/ --save golden/        # and later, without Python:",
    "isotorch parity --load golden/",
    'isotorch parity --model gpt2 "The dog" "In the beginning"',
    "isotorch parity --weights ./my-gpt2 --prompts prompts.txt --seeds 1,2,3 --reference transformers",
  ],
  text: `PATH is a picture, or a folder that is searched for pictures with all its folders.
A network of texts is one by its name (gpt2, gpt2-medium, gpt2-large, gpt2-xl, tiny), or by the config.json in its folder;
then prompts are compared: tokens, embeddings, each layer's attention and output, norm, logits, those of each new token, the
tokens that are chosen, the text.`,
  takes: "files",
  groups: [
    {
      flags: {
        against: {
          value: "WHAT",
          choices: ["plain", "cpu"],
          about:
            "plain (default): the worker's own interpreter; cpu: the same on the CPU; the path of an\n" +
            "interpreter or environment; the name of a conda environment",
        },
        handoff: {
          ...handoff!,
          choices: ["tensor", "pixels", "encoded", "all"],
          about: "tensor (default), pixels, encoded, or all three",
        },
        rtol: {
          value: "R",
          about:
            "tolerate this much in float stages, as torch.testing.assert_close does; one given alone\n" +
            "leaves the other at float32's default (1.3e-6 and 1e-5). Without both, not one bit",
        },
        atol: { value: "A", about: "see --rtol" },
        report: {
          value: "FILE",
          multiple: true,
          about: ".json, .md, .html or .xml (JUnit); may be given several times",
        },
        save: { value: "DIR", about: "keep the pictures and the reference's arrays" },
        load: {
          value: "DIR",
          about: "compare with what was kept; without Python only the stages before the network",
        },
        network: { about: "with --load: start a worker and compare the network's stages too" },
        json: { about: "one object per line and picture, and the summary as the last one" },
        ...MANIFEST,
      },
    },
    OF_TEXTS,
    PICTURES,
    { ...NETWORK, flags: ofNetwork },
    ENVIRONMENT,
  ],
  end: "Exit codes: 0 when nothing diverged, 1 when something did.",
};

export const TUTORIAL: Description = {
  summary: "the tutorial replayed, as a Python prompt prints it",
  usage: "IMAGE|--gpt [PROMPT]",
  examples: [
    "isotorch tutorial dog.jpg",
    "isotorch tutorial dog.jpg --check            # and Python's own text run beside it",
    "isotorch tutorial dog.jpg --as-written       # without eval(), as the text has it",
    "isotorch tutorial dog.jpg --model vit_b_16   # the same steps with another network",
    "isotorch tutorial --published bobby.jpg      # the book's five numbers",
    "isotorch tutorial --gpt                      # its first half: from byte pairs to text that types itself",
    "isotorch tutorial --gpt --lang zh            # in Chinese",
  ],
  text: `Each line after >>> is the tutorial's, its misprints mended; what follows is computed by isotorch. The place in memory
that Python prints for a picture is left open (at 0x…): it is another in each run.
--gpt walks through the first half of the text: byte pairs, tokens, embedding, positions, attention, candidates, text. Every
output is compared with what plain Python prints. --model is then one of the networks of texts (default tiny, which comes
with the package), --weights one of theirs.`,
  takes: "files",
  groups: [
    {
      flags: {
        check: { about: "run the statements in plain Python too, and compare every output and every bit" },
        "as-written": {
          about:
            "leave eval() out: BatchNorm then normalises with the one picture's statistics; not for networks\n" +
            "that draw random numbers then",
        },
        published: {
          about:
            "compare with the book, which has resnet101's alone; IMAGE is its bobby.jpg, the weights must be\n" +
            "in the cache",
        },
        gpt: {
          about:
            'the tutorial\'s first half, with a text (default "In the beginning") in the place of a picture',
        },
        lang: {
          value: "LANG",
          choices: ["en", "zh"],
          about: "of --gpt: en or zh (default: as LC_ALL, LC_MESSAGES or LANG has it)",
        },
        json: { about: "one object" },
      },
    },
    NETWORK,
    ENVIRONMENT,
  ],
  end: `The tutorial runs on the CPU. --labels defaults to the tutorial's own file, which this package has; other classes than
ImageNet's have numbers without it.
Exit codes: 0; 1 when an output or a bit differs; 3 when the weights are not there, so that nothing was checked.`,
};

export const EVAL: Description = {
  summary: "top-1 and top-5 accuracy over a folder per class",
  usage: "DIR",
  examples: [
    "isotorch eval val/",
    "isotorch eval val/ --resume val.jsonl --json",
    "isotorch eval val/ --weights mine.ckpt --labels names.txt",
  ],
  text: `DIR holds one folder per class, as torchvision's ImageFolder has it, and the figures are those of a plain torchvision
loop. A folder is named by its class index (DIR/207), by its label (DIR/golden retriever), by its synset where there are
ImageNet's 1,000 classes (DIR/n02099601), or there is one for each class, whose sorted order is the order of the classes.
A file of your own knows no names for its classes: give them with --labels.`,
  takes: "folders",
  groups: [
    {
      flags: {
        resume: {
          value: "FILE",
          about: "keep one JSON line per picture there; the same command goes on where it stopped",
        },
        json: { about: "one object" },
        ...TIMEOUT,
        ...MANIFEST,
      },
    },
    PICTURES,
    NETWORK,
    ENVIRONMENT,
  ],
  end: "A picture that cannot be read is listed, counts for neither figure, and makes the exit code 1.",
};

export const MANIFEST_DIFF: Description = {
  summary: "what is needed to reproduce a run, and what differs between two",
  usage: "diff A B",
  examples: ["isotorch classify dog.jpg --manifest here.json", "isotorch manifest diff here.json there.json"],
  text: `Differences are grouped: those that decide the bits of the answer (picture, weights, preprocessing, device, threads,
precision), those that may change the last bits (versions of PyTorch and the decoders, BLAS, CPU), and those that do not.`,
  actions: ["diff"],
  takes: "files",
  groups: [{ flags: { json: { about: '{"same","differences":[{"bits","path","a","b"}]}' } } }],
  end: "Exit codes: 0 the same, 1 something differs.",
};
