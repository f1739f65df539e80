"""What torchvision says of its weights: input spec, categories, names.

Everything that differs between torchvision 0.13 and later is in this file and in build.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torchvision.models
from torch import nn

from isotorch_worker.base.told import brief
from isotorch_worker.checkpoints.checkpoint import read_checkpoint
from isotorch_worker.protocol.errors import InvalidOption
from isotorch_worker.runtime.build import build, builder
from isotorch_worker.runtime.fill import load_state

# What pretrained=True gave, of every network that has it.
FIRST = "IMAGENET1K_V1"


def load_checkpoint(path: Path, sha256: str | None, name: str = "resnet101") -> nn.Module:
    """``build`` and fill from the file at ``path``: verified, read without running its code, complete.

    Raises what ``read_checkpoint``, ``Contents.state_dict`` and ``load_state`` raise. Never returns random
    weights.
    """
    contents, _ = read_checkpoint(path, sha256)
    network = build(name)
    load_state(network, contents.state_dict())
    return network


def transforms_spec(weights_name: str, name: str = "resnet101") -> dict[str, Any]:
    """The preprocessing of torchvision's weights object, in pixels and in units of 0..1.

    Returns ``{"resize", "crop", "mean": [3], "std": [3], "interpolation"}``.
    Raises InvalidOption for weights that torchvision does not know.
    """
    return _spec(_named(name, weights_name))


def default_transforms(name: str, image_size: int | None = None) -> str:
    """The name of the weights whose preprocessing goes with a file of one's own for the network ``name``.

    IMAGENET1K_V1 where there is one, else that of SWAG's with 224 pixels, for which torchvision builds its
    networks; of networks whose weights belong to a size of pictures one with this ``image_size``. Raises
    InvalidOption where there is none.
    """
    known = _weights(name)
    fitting = [one for one in known if image_size is None or _spec(known[one])["crop"] == image_size]
    if not fitting:
        raise InvalidOption(
            f"transforms: {name} of pictures with {image_size} pixels has no preprocessing of torchvision's",
            "give it: transforms { resize, crop, interpolation, mean, std }",
        )
    return FIRST if FIRST in fitting else fitting[-1]


def categories(weights_name: str, name: str = "resnet101") -> list[str]:
    """The 1,000 class names of torchvision's weights object. Raises InvalidOption as ``transforms_spec``."""
    return [str(category) for category in _named(name, weights_name).meta["categories"]]


def model_names() -> list[str]:
    """``dir(torchvision.models)``, as the tutorial prints it."""
    return dir(torchvision.models)


def weights_names(name: str) -> list[str]:
    """Names of the weights that torchvision has for the classifier ``name``."""
    return list(_weights(name))


def _spec(weights: Any) -> dict[str, Any]:
    preset: Any = weights.transforms()
    return {
        "resize": int(preset.resize_size[0]),
        "crop": int(preset.crop_size[0]),
        "mean": [float(value) for value in preset.mean],
        "std": [float(value) for value in preset.std],
        "interpolation": str(preset.interpolation.value),
    }


def _named(name: str, weights_name: str) -> Any:
    known = _weights(name)
    if weights_name not in known:
        raise InvalidOption(f"transforms: expected one of {', '.join(known)}, received {brief(weights_name)}")
    return known[weights_name]


def _weights(name: str) -> Mapping[str, Any]:
    """The weights of a classifier that classify, by their names."""
    builder(name)
    # The underscores tell regnet_x_1_6gf from regnet_x_16gf.
    (found,) = (
        getattr(torchvision.models, one)
        for one in dir(torchvision.models)
        if one.lower() == f"{name}_weights"
    )
    # DEFAULT is an alias that changes its meaning with the version; vgg16 has weights without a classifier.
    return {
        key: weights
        for key, weights in found.__members__.items()
        if key != "DEFAULT" and weights.meta.get("categories")
    }
