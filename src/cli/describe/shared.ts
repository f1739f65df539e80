import type { FlagGroup } from "../flags/description.ts";

/** Flags that choose the worker and its checkpoint; shared by all commands that start one. */
export const NETWORK: FlagGroup = {
  title: "Network",
  flags: {
    model: {
      value: "NAME",
      choices: ["resnet101", "resnet50", "vit_b_16"],
      about:
        "one of torchvision's classifiers, as `isotorch models` lists them: resnet101 (default);\na file of your own says which one it is",
    },
    weights: {
      value: "NAME",
      choices: ["IMAGENET1K_V1", "IMAGENET1K_V2", "untrained:0"],
      about: "IMAGENET1K_V1 (default), IMAGENET1K_V2, a checkpoint file, or untrained:SEED",
    },
    "checkpoint-key": {
      value: "KEY",
      about: "which of several state dicts in a file of your own, such as model_ema",
    },
    sha256: { value: "HEX", about: "the full hash of a file of your own: another one is refused" },
    "trust-checkpoint": { about: "no longer needed, and without effect" },
    transforms: {
      value: "NAME",
      choices: ["IMAGENET1K_V1", "IMAGENET1K_V2"],
      about:
        "whose preprocessing a file of your own takes, or a FILE.json with one of your own:\n{ resize, crop, interpolation, mean, std }",
    },
    device: {
      value: "D",
      choices: ["auto", "cpu", "cuda", "cuda:0"],
      about: "auto (default), cpu, cuda, cuda:N, or a list such as cuda:0,cuda:1: one worker each",
    },
    workers: { value: "N", about: "workers side by side, one per GPU; on a CPU they share its cores" },
    precision: {
      value: "P",
      choices: ["exact", "fused", "bf16", "fp16"],
      about: "exact (default: every bit of plain PyTorch), fused, bf16 or fp16",
    },
    batch: {
      value: "N",
      about: "pictures that a worker takes at once at most; 0 (default) = its own choice",
    },
    threads: { value: "N", about: "PyTorch's CPU threads; they belong to the answer's last bits" },
    handoff: {
      value: "KIND",
      choices: ["tensor", "pixels", "encoded"],
      about: "what crosses to the worker: tensor (default on a CPU), pixels (default on a GPU) or encoded",
    },
    labels: {
      value: "FILE",
      about:
        "one label per line instead of the weights' own; or JSON, a Python dictionary or list, CSV, TSV; in\n" +
        "UTF-8, UTF-16, GBK or Big5",
    },
  },
};

/** Servers in place of a worker of this machine. */
export const REMOTE: FlagGroup = {
  title: "Remote",
  flags: {
    remote: {
      value: "URL",
      multiple: true,
      about:
        "a server that holds the network: isotorch serve, Ray Serve, Triton, KServe; its token is read from\n" +
        "ISOTORCH_TOKEN. May be given several times",
    },
    "remote-model": { value: "NAME", about: "the model's name there (default resnet101)" },
  },
};

export const PYTHON: FlagGroup["flags"] = {
  python: { value: "FILE", about: "this interpreter and no other" },
  env: { value: "NAME|PREFIX", about: "this conda environment" },
};

export const MIRROR: FlagGroup["flags"][string] = {
  value: "URL",
  about: "where checkpoints are downloaded from, instead of torchvision's servers",
};

export const ENVIRONMENT: FlagGroup = {
  title: "Environment",
  flags: {
    ...PYTHON,
    "cache-dir": { value: "DIR", about: "where checkpoints are kept" },
    offline: { about: "never download" },
    mirror: MIRROR,
  },
};

/** Flags that say how a picture is read. */
export const PICTURES: FlagGroup = {
  title: "Pictures",
  flags: {
    exif: {
      value: "WHAT",
      choices: ["ignore", "apply"],
      about: "ignore: as stored, as Pillow does (default); apply: turned upright",
    },
    icc: {
      value: "WHAT",
      choices: ["ignore", "to-srgb"],
      about: "ignore: stored values, as Pillow does (default); to-srgb: converted by the profile",
    },
    mode: {
      value: "WHAT",
      choices: ["convert-rgb", "strict"],
      about: 'convert-rgb: convert("RGB") as Pillow does (default); strict: refuse what is not RGB',
    },
    "max-pixels": { value: "N", about: "width times height at most (default 178956970, as Pillow)" },
    "max-bytes": { value: "N", about: "bytes of a file at most (default and most 603979776)" },
    "max-side": { value: "N", about: "width, and height, at most (default 250000)" },
    "max-scans": { value: "N", about: "scans of a JPEG at most (default 100)" },
    "max-chunks": { value: "N", about: "segments, chunks, blocks, strips of a file at most (default 4096)" },
  },
};

export const TIMEOUT: FlagGroup["flags"] = {
  timeout: { value: "MS", about: "per picture (default 30000; more for large networks)" },
};

export const MANIFEST: FlagGroup["flags"] = {
  manifest: { value: "FILE", about: "write what is needed to reproduce the run (pictures must be files)" },
};
