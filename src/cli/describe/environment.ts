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
  summary: "the checkpoints that isotorch knows; fetch one, or make an untrained one",
  usage: "[list|pull|make]",
  examples: [
    "isotorch models",
    "isotorch models pull IMAGENET1K_V1            # download and verify it",
    "isotorch models make --seed 0 --out FILE.pth  # a real, untrained checkpoint, made offline",
  ],
  actions: ["list", "pull", "make"],
  groups: [
    {
      flags: {
        seed: { value: "N", about: "of the initialisation (default 0)" },
        out: { value: "FILE", about: "where to write it" },
        threads: { value: "N", about: "PyTorch's threads while making it" },
        ...CACHE,
        ...PYTHON,
        offline: { about: "never download" },
        mirror: MIRROR,
        json: { about: "one object per line" },
      },
    },
  ],
};

export const CACHE_COMMAND: Description = {
  summary: "the checkpoints on this disk: list, verify, clear",
  usage: "[ls|verify|clear] [NAME…]",
  examples: [
    "isotorch cache ls                     # what is there",
    "isotorch cache verify                 # reads every file and checks its SHA-256",
    "isotorch cache clear                  # half downloads, leftovers of killed runs, untrained checkpoints: isotorch's alone",
    "isotorch cache clear IMAGENET1K_V1    # that one; PyTorch itself uses the same file",
    "isotorch cache clear --all            # all that isotorch knows, and nothing else in the directory",
  ],
  actions: ["ls", "verify", "clear"],
  groups: [
    {
      flags: {
        all: { about: "everything that isotorch knows" },
        yes: { about: "do not ask; needed where there is no terminal to ask at" },
        ...CACHE,
        json: { about: "one object on stdout" },
      },
    },
  ],
  end: "Exit code 1 when a file is damaged.",
};
