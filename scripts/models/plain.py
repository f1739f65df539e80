"""Seeded weights of one network, and what torchvision alone makes of pictures with them.

    python3 scripts/models/plain.py MODEL --cache DIR --threads N --head NAME IMAGE...

Writes the state dict into DIR as the file that torchvision looks for there, and answers by `weights=`, each
picture alone. Shares no line with the worker. Prints one line of JSON: file, weights, torch, torchvision, and
for each picture the SHA-256 of the logits and of the embedding, which is what the layer NAME is given, or the
mean over its places.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import warnings
from pathlib import Path
from typing import Any

# Threads that wait in a busy loop take what the others need; the bits are the same either way.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("GOMP_SPINCOUNT", "3000")

import torch
import torchvision.models
from PIL import Image
from torch import Tensor, nn

SEED = 0
# Of the noise by which BatchNorm learns its statistics, and of networks that take no other.
SIDE = 128
SIDES = {"inception_v3": 299, "maxvit_t": 224}
WITHOUT_SCIPY = {"googlenet": {"init_weights": False}, "inception_v3": {"init_weights": False}}


def main() -> None:
    """Make, load, answer."""
    parser = argparse.ArgumentParser(description="Answer with torchvision alone.")
    parser.add_argument("model")
    parser.add_argument("--cache", required=True, type=Path, metavar="DIR")
    parser.add_argument("--threads", required=True, type=int)
    parser.add_argument("--head", required=True, metavar="NAME")
    parser.add_argument("images", nargs="+", metavar="IMAGE")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(args.threads)
    torch.hub.set_dir(args.cache)

    weights = weights_of(args.model)
    file = args.cache / "checkpoints" / weights.url.rpartition("/")[2]
    file.parent.mkdir(parents=True, exist_ok=True)
    torch.save(made(args.model, args.head), file)

    network: nn.Module = getattr(torchvision.models, args.model)(weights=weights).eval()
    given: list[Tensor] = []
    network.get_submodule(args.head).register_forward_pre_hook(lambda _, inputs: given.append(inputs[0]))
    preprocess = weights.transforms()
    answers = []
    for image in args.images:
        batch = preprocess(Image.open(image).convert("RGB")).unsqueeze(0)
        with torch.no_grad():
            logits = network(batch)
        value = given.pop()
        embedding = nn.functional.adaptive_avg_pool2d(value, 1).flatten(1) if value.dim() == 4 else value
        if not bool(torch.isfinite(logits).all()) or float(logits.std()) == 0:
            raise ValueError(f"{args.model} with seeded weights answers nothing that could be compared")
        answers.append({"logits": sha256(logits), "embedding": sha256(embedding)})
    versions = {"torch": torch.__version__, "torchvision": torchvision.__version__}
    print(json.dumps({"file": str(file), "weights": weights.name, **versions, "answers": answers}))


def weights_of(model: str) -> Any:
    """The first of its weights, which most have as IMAGENET1K_V1."""
    (found,) = (
        getattr(torchvision.models, name)
        for name in dir(torchvision.models)
        if name.lower() == f"{model}_weights"
    )
    return next(iter(found))


def made(model: str, head: str) -> dict[str, Tensor]:
    """A seeded state dict: a head of zeros is drawn, and BatchNorm has the statistics of noise."""
    torch.manual_seed(SEED)
    network: nn.Module = getattr(torchvision.models, model)(weights=None, **WITHOUT_SCIPY.get(model, {}))
    last: Any = network.get_submodule(head)
    if not bool(last.weight.any()):
        nn.init.normal_(last.weight, std=0.02)
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 1.0
    if norms:
        side = SIDES.get(model, SIDE)
        with torch.no_grad():
            network.train()(torch.randn(4, 3, side, side))
    for norm, momentum in zip(norms, momenta):
        norm.momentum = momentum
    return network.state_dict()


def sha256(tensor: Tensor) -> str:
    return hashlib.sha256(tensor.contiguous().numpy().tobytes()).hexdigest()


if __name__ == "__main__":
    main()
