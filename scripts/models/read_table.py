"""Print what the installed torchvision says of its classifiers and their weights, as JSON.

python3 scripts/models/read_table.py

`scripts/write-models.mjs` makes models/torchvision.json of it. What this torchvision does not say is null:
sizes of files and GFLOPs before 0.15.
"""

from __future__ import annotations

import importlib
import json
import pkgutil
import re
import sys
import warnings
from pathlib import Path
from typing import Any

# Run by its path.
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "python"))

import torchvision
import torchvision.models
from torch import nn

from isotorch_worker.runtime.build import without_initialisation

CLASSES = 1000
_DATASET = "ImageNet-1K"


def classifiers() -> dict[str, Any]:
    """The weights enumeration of each classifier by the model's name, in alphabetical order.

    Method: the builders that modules of `torchvision.models` itself export, detection, segmentation, video,
    quantised and optical-flow networks being packages of their own or other modules; of these the ones whose
    weights have ImageNet's 1,000 classes. The same under torchvision 0.13, which has no `list_models`.
    """
    found = {}
    for module in pkgutil.iter_modules(torchvision.models.__path__, "torchvision.models."):
        if module.ispkg or module.name.rpartition(".")[2].startswith("_"):
            continue
        exported = importlib.import_module(module.name)
        enumerations = {
            name.removesuffix("_Weights").lower(): getattr(exported, name)
            for name in exported.__all__
            if name.endswith("_Weights")
        }
        for name in exported.__all__:
            weights = enumerations.get(name)
            if weights is not None and any(map(is_classifier, weights)):
                found[name] = weights
    return dict(sorted(found.items()))


def is_classifier(weights: Any) -> bool:
    """Whether weights have the 1,000 classes: vgg16's IMAGENET1K_FEATURES have not."""
    return len(weights.meta.get("categories") or ()) == CLASSES


def checkpoint(weights: Any) -> dict[str, Any]:
    """One entry of the table: MiB as torchvision rounds them, accuracies in percent, GFLOPs of a picture."""
    preset: Any = weights.transforms()
    meta = weights.meta
    metrics = meta["_metrics"][_DATASET]
    prefix = re.search(r"-([0-9a-f]{8,64})\.pth$", weights.url)
    if prefix is None:
        raise ValueError(f"{weights.url} has no hash in its name")
    return {
        "url": weights.url,
        "mebibytes": meta.get("_file_size"),
        "sha256Prefix": prefix[1],
        "parameters": meta["num_params"],
        "gflops": meta.get("_ops"),
        "acc1": metrics["acc@1"],
        "acc5": metrics["acc@5"],
        "minSize": list(meta["min_size"]),
        "licence": meta.get("license"),
        "classes": len(meta["categories"]),
        "spec": {
            "resize": int(preset.resize_size[0]),
            "crop": int(preset.crop_size[0]),
            "mean": [float(value) for value in preset.mean],
            "std": [float(value) for value in preset.std],
            "interpolation": str(preset.interpolation.value),
        },
    }


def head_of(name: str) -> dict[str, Any]:
    """The layer that makes the logits of a network, and how many values it takes of each picture.

    Method: the last linear layer or convolution with 1,000 outputs that is not an auxiliary classifier's.
    """
    with warnings.catch_warnings(), without_initialisation():
        warnings.simplefilter("ignore")
        network: nn.Module = getattr(torchvision.models, name)(weights=None)
    heads = [
        (key, module)
        for key, module in network.named_modules()
        if not key.lower().startswith("aux")
        and isinstance(module, (nn.Linear, nn.Conv2d))
        and module.weight.shape[0] == CLASSES
    ]
    key, module = heads[-1]
    return {"name": key, "type": type(module).__name__, "features": int(module.weight.shape[1])}


def table() -> dict[str, Any]:
    """Every classifier: its head and its weights, in torchvision's order."""
    return {
        name: {
            "head": head_of(name),
            "weights": {one.name: checkpoint(one) for one in weights if is_classifier(one)},
        }
        for name, weights in classifiers().items()
    }


if __name__ == "__main__":
    version = ".".join(torchvision.__version__.split(".")[:2])
    json.dump({"torchvision": version, "models": table()}, sys.stdout, indent=1)
