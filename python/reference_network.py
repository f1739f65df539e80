"""torchvision's classifiers and their preprocessing, as somebody types them at a prompt.

For the scripts that isotorch is compared with: nothing here is the worker's. What torchvision's ``weights=``
sets beside the values is typed out by hand.
"""

from __future__ import annotations

import inspect
import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torchvision import models, transforms

from reference_checkpoint import Refusal, first_line

# Of the tutorial. Of other networks and files it is told.
SPEC: dict[str, Any] = {
    "resize": 256,
    "crop": 224,
    "interpolation": "bilinear",
    "mean": [0.485, 0.456, 0.406],
    "std": [0.229, 0.224, 0.225],
}
IMAGENET = 1000
# torchvision sets it with weights, whose values were trained so; no file says it.
TRANSFORMS_INPUT = ("googlenet", "inception_v3")
# Heads of these two that only training has a use for.
AUXILIARY = ("aux1.", "aux2.", "AuxLogits.")
COUNTER = ".num_batches_tracked"


def preprocessing(spec: Mapping[str, Any]) -> list[Any]:
    """Resize, CenterCrop, ToTensor and Normalize; ``resize`` and ``crop`` are a number or [height, width]."""
    interpolation = transforms.InterpolationMode(spec["interpolation"])
    return [
        transforms.Resize(spec["resize"], interpolation=interpolation),
        transforms.CenterCrop(spec["crop"]),
        transforms.ToTensor(),
        transforms.Normalize(mean=spec["mean"], std=spec["std"]),
    ]


def read_spec(text: str | None) -> dict[str, Any]:
    """A preprocessing in JSON; the tutorial's where none is given."""
    return SPEC if text is None else json.loads(text)


def read_labels(file: str | None, classes: int) -> list[str]:
    """A file with one label per line, as the tutorial reads it; else ImageNet's, or numbers for others."""
    if file is not None:
        with Path(file).open(encoding="utf-8") as f:
            return [line.strip() for line in f.readlines()]
    if classes == IMAGENET:
        return list(models.ResNet101_Weights.IMAGENET1K_V1.meta["categories"])
    return [f"class {number}" for number in range(classes)]


def build(model: str, classes: int, state: Mapping[str, Tensor]) -> nn.Module:
    """torchvision's network of this name for the values in ``state``, with random ones. Raises Refusal."""
    make = None if model.startswith("_") else getattr(models, model, None)
    if not inspect.isfunction(make):
        raise Refusal("INVALID_OPTION", f"this torchvision has no network {model}")
    options: dict[str, Any] = {"num_classes": classes}
    if model in TRANSFORMS_INPUT:
        options.update(transform_input=True, aux_logits=False, init_weights=False)
    if "encoder.pos_embedding" in state and "conv_proj.weight" in state:
        # One position is the class token's, each other one a patch's.
        patches = math.isqrt(max(state["encoder.pos_embedding"].shape[1] - 1, 0))
        options["image_size"] = patches * state["conv_proj.weight"].shape[-1]
    network: nn.Module = make(weights=None, **options)
    name, head = head_of(network)
    has_bias = f"{name}.bias" in {_current(one, name) for one in state}
    if has_bias != (head.bias is not None):
        head.bias = nn.Parameter(torch.zeros(classes)) if has_bias else None
    return network


def fill(network: nn.Module, state: Mapping[str, Tensor]) -> Any:
    """What ``load_state_dict`` answers for these values, all of them and nothing else. Raises Refusal.

    Older torchvisions' names become today's as torchvision does it; a head that stands in a Sequential is the
    network's, and what stands beside it has no values (Dropout).
    """
    head, _ = head_of(network)
    given = {_current(name, head): value for name, value in state.items() if not name.startswith(AUXILIARY)}
    if isinstance(network, models.MNASNet):
        # It asks for its own version, which a state dict carries unseen and a file may have lost.
        versioned = network.state_dict()
        for name in versioned.keys() - given.keys():
            if not name.endswith(COUNTER):
                del versioned[name]
        versioned.update(given)
        given = versioned
    try:
        answer = network.load_state_dict(given)
    except Exception as error:
        raise Refusal(
            "CHECKPOINT_MISMATCH", f"{type(network).__name__} refuses the checkpoint: {first_line(error)}"
        ) from None
    # Older versions of torch make tensors of storages that are too small for them.
    if not all(bool(torch.isfinite(value).all()) for value in network.state_dict().values()):
        raise Refusal("CHECKPOINT_CORRUPT", "the checkpoint has NaN or infinite values")
    return answer


def head_of(network: nn.Module) -> tuple[str, Any]:
    """The layer that makes the logits, with its name: the last of its kind in every one of torchvision's."""
    layers = [item for item in network.named_modules() if isinstance(item[1], (nn.Linear, nn.Conv2d))]
    return layers[-1]


def embedding_of(head: nn.Module, given: Tensor) -> Tensor:
    """[N, D] of what the head is given: of a convolution's the mean of each channel, as SqueezeNet pools."""
    pooled = nn.functional.adaptive_avg_pool2d(given, 1) if isinstance(head, nn.Conv2d) else given
    return torch.flatten(pooled, 1)


def _current(name: str, head: str) -> str:
    """Today's name in torchvision; the head's, where it stands in a Sequential or in place of one."""
    parent = head.rpartition(".")[0]
    if name.startswith(f"{head}.") or (parent and name in (f"{parent}.weight", f"{parent}.bias")):
        return f"{head}.{name.rpartition('.')[2]}"
    return re.sub(r"(denselayer\d+\.(?:norm|relu|conv))\.([12]\.)", r"\1\2", name)
