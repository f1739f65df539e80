"""torchvision's networks as torchvision builds them for weights, ready to be filled."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from difflib import get_close_matches
from typing import Any

import torchvision
import torchvision.models
from torch import Tensor, nn

from isotorch_worker.base.told import brief
from isotorch_worker.checkpoints.networks import NETWORKS
from isotorch_worker.protocol.errors import InvalidOption

# What torchvision's builders pass when they are given weights. Auxiliary heads are for training; without
# `transform_input` the same weights give other logits.
FOR_WEIGHTS: dict[str, dict[str, Any]] = {
    "googlenet": {"transform_input": True, "aux_logits": False, "init_weights": False},
    "inception_v3": {"transform_input": True, "aux_logits": False, "init_weights": False},
}
# Where modules find them; MultiheadAttention's has names of its own.
_PLACES: tuple[Any, ...] = (nn.init, nn.modules.activation)
_RANDOM = (
    "kaiming_normal_",
    "kaiming_uniform_",
    "normal_",
    "orthogonal_",
    "sparse_",
    "trunc_normal_",
    "uniform_",
    "xavier_normal_",
    "xavier_uniform_",
)


def build(
    name: str = "resnet101", classes: int = 1000, image_size: int | None = None, has_bias: bool = True
) -> nn.Module:
    """torchvision's network in evaluation mode, its parameters uninitialised: they must all be loaded.

    ``image_size`` is for networks whose weights belong to one size of pictures; ``has_bias`` is the head's.
    Method: torchvision's own constructor, with the random initialisation (0.45 s that loading overwrites)
    switched off while it runs. Raises InvalidOption for a name that is not offered, or not by this version.
    """
    arguments = {"num_classes": classes, **FOR_WEIGHTS.get(name, {})}
    if image_size is not None:
        arguments["image_size"] = image_size
    with without_initialisation():
        network: nn.Module = builder(name)(weights=None, **arguments)
    head: Any = network.get_submodule(NETWORKS[name].head)
    if has_bias and head.bias is None:
        head.bias = nn.Parameter(head.weight.new_empty(classes))
    elif not has_bias:
        head.bias = None
    return network.eval()


def builder(name: str) -> Any:
    """torchvision's function for ``name``. Raises InvalidOption as ``build``."""
    if name not in NETWORKS:
        near = get_close_matches(name, NETWORKS, 1)
        meant = f"did you mean {near[0]}? " if near else ""
        raise InvalidOption(
            f"model: torchvision has no classifier {brief(name)}", f"{meant}`isotorch models` lists all 80"
        )
    found = getattr(torchvision.models, name, None)
    if found is None:
        raise InvalidOption(
            f"model: torchvision {torchvision.__version__} here has no {name}",
            f"{name} came with torchvision {NETWORKS[name].since}; use one with that version or a later",
        )
    return found


@contextmanager
def without_initialisation() -> Generator[None, None, None]:
    """Leave out what draws random numbers; constants are set, some of which no checkpoint overwrites."""

    def keep(tensor: Tensor, *_: Any, **__: Any) -> Tensor:
        return tensor

    originals = [
        (place, name, getattr(place, name)) for place in _PLACES for name in _RANDOM if hasattr(place, name)
    ]
    for place, name, _ in originals:
        setattr(place, name, keep)
    try:
        yield
    finally:
        for place, name, original in originals:
            setattr(place, name, original)
