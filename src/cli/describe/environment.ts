/** The commands about the environment and the checkpoints. */
import type { Description } from "../flags/description.ts";
import { MIRROR, NETWORK, PYTHON } from "./shared.ts";

const CACHE = {
  "cache-dir": { value: "DIR", about: "where checkpoints are kept (default: torchvision's place)" },
};

export const SETUP: Description = {
  summary: "finds a Python environment with PyTorch, or makes one, and records it",
  usage: "",
  examples: [
    "isotorch setup",
    "isotorch setup --dry-run",
    "isotorch setup --via venv --python /usr/bin/python3.11",
  ],
  text: `Where an environment fits already, it is recorded and nothing is installed. Else one is made, first match wins:
with mamba, micromamba or conda; the distribution's packages for root on Debian and Ubuntu; a virtual environment.
What is going to be run is printed before it is run. Ctrl-C ends it cleanly, and the next setup goes on from there.`,
  groups: [
    {
      flags: {
        via: {
          value: "WAY",
          choices: ["apt", "venv", "conda"],
          about: "make one in this way (apt, venv or conda), also where one fits already",
        },
        variant: {
          value: "NAME",
          choices: ["cu113", "cuda", "cpu"],
          about:
            "of conda: cu113 (PyTorch 1.12.1, CUDA 11.3), cuda (a current CUDA 12), cpu; default by the GPU",
        },
        python: {
          value: "FILE",
          about: "use this interpreter if it fits, else make a virtual environment from it",
        },
        "dry-run": { about: "print what would be done" },
        json: { about: 'one object on stdout: {"via","commands","environment","record"}' },
      },
    },
  ],
};

export const DOCTOR: Description = {
  summary: "what was found, what is wrong, and how to mend it",
  usage: "",
  examples: ["isotorch doctor", "isotorch doctor --device cuda --json", "isotorch doctor --fix"],
  text: `Looks at every Python that could run the worker and says why each was taken or refused, imports everything in the
chosen one, computes a convolution on the device, and looks for checkpoints. Each problem comes with the command
that mends it.`,
  groups: [
    {
      flags: {
        ...PYTHON,
        device: NETWORK.flags["device"]!,
        weights: NETWORK.flags["weights"]!,
        ...CACHE,
        offline: { about: "never download" },
        fix: {
          about: `do what can be done safely: make an environment, change one that isotorch made, fetch weights, drop a
stale record. Says what it does first; asks on a terminal, and does not ask elsewhere`,
        },
        json: { about: "one object on stdout; docs/environments.md has its fields" },
      },
    },
  ],
  end: "Exit codes: 3 when no environment fits or it is broken, 4 when the device is not there, 0 otherwise.",
};

export const MODELS: Description = {
  summary: "torchvision's classifiers and their weights; fetch some, or make untrained ones",
  usage: "[PATTERN…|pull NAME|make]",
  examples: [
    "isotorch models                               # all, a line each",
    "isotorch models 'resnet*' vit_b_16            # each of their weights",
    "isotorch models --max-size 50MB --min-accuracy 75 --licence none",
    "isotorch models pull resnet50                 # download and verify its IMAGENET1K_V1",
    "isotorch models pull vit_b_16 --weights IMAGENET1K_SWAG_E2E_V1",
    "isotorch models make --seed 0 --out FILE.pth  # a real, untrained checkpoint, made offline",
  ],
  text: `A pattern has *, ? and {a,b}, and is put in quotes. "integrity" says how surely a file is the one that is meant:
pinned (its full SHA-256 is known), prefix (the 8 or 10 digits in its name are), first use (the full SHA-256 was noted when
it was first loaded). docs/models.md says what that is worth.`,
  actions: ["list", "pull", "make"],
  groups: [
    {
      title: "Which",
      flags: {
        exclude: { value: "PATTERN", multiple: true, about: "but these models; may be given several times" },
        weights: {
          value: "NAME",
          choices: ["IMAGENET1K_V1", "IMAGENET1K_V2", "IMAGENET1K_SWAG_E2E_V1", "IMAGENET1K_SWAG_LINEAR_V1"],
          about: "weights of this name or pattern; of pull: these (default IMAGENET1K_V1)",
        },
        "max-size": { value: "SIZE", about: "files of at most this size, such as 100MB" },
        "min-accuracy": { value: "N", about: "at least this accuracy (acc@1), percent" },
        licence: {
          value: "NAME",
          choices: ["none", "CC-BY-NC-4.0"],
          about: "weights with this licence of their own, or with none",
        },
        cached: { about: "those that are in the cache" },
      },
    },
    {
      title: "Pull and make",
      flags: {
        model: { value: "NAME", about: "the network (default resnet101)" },
        seed: { value: "N", about: "of the initialisation (default 0)" },
        out: { value: "FILE", about: "where to write it" },
        threads: { value: "N", about: "PyTorch's threads while making it" },
      },
    },
    {
      title: "Environment",
      flags: {
        ...CACHE,
        ...PYTHON,
        offline: { about: "never download" },
        mirror: MIRROR,
        json: { about: "one object per line" },
      },
    },
  ],
  end: "Exit codes: 1 when no weights are as they were asked for, 2 for a model that is not known.",
};

export const CACHE_COMMAND: Description = {
  summary: "the checkpoints on this disk: list, verify, clear",
  usage: "[ls|verify|clear] [NAME…]",
  examples: [
    "isotorch cache ls                     # what is there",
    "isotorch cache verify                 # reads every file and checks its SHA-256",
    "isotorch cache clear                  # half downloads, leftovers of killed runs, untrained checkpoints: isotorch's alone",
    "isotorch cache clear resnet50         # what there is of that model; PyTorch itself uses the same files",
    "isotorch cache clear --all            # all that isotorch knows, and nothing else in the directory",
  ],
  actions: ["ls", "verify", "clear"],
  groups: [
    {
      flags: {
        model: { value: "NAME", about: "of this model alone" },
        all: { about: "everything that isotorch knows" },
        yes: { about: "do not ask; needed where there is no terminal to ask at" },
        ...CACHE,
        json: { about: "one object on stdout" },
      },
    },
  ],
  text: "NAME is that of a model, of weights, or of a file. Weights of several models are cleared by --model alone.",
  end: "Exit code 1 when a file is damaged.",
};
