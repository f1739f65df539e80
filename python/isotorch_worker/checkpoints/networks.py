"""Which of torchvision's classifiers a checkpoint belongs to, by the names and shapes of its tensors.

Without the head they are another set for each of the 80, so that neither a name nor the number of classes has
to be told. `networks.json` has a fingerprint of each; python/corpus/write_networks.py makes it.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from isotorch_worker.base.told import brief
from isotorch_worker.protocol.errors import CheckpointMismatch

Shapes = Mapping[str, "tuple[int, ...]"]

_COUNTER = ".num_batches_tracked"
_POSITIONS = "encoder.pos_embedding"
_PATCHES = "conv_proj.weight"
# Heads of googlenet and inception_v3 that only training has a use for.
AUXILIARY = ("aux1.", "aux2.", "AuxLogits.")
_DIGITS = 16
_NAMED = 4


class Network(NamedTuple):
    """What is known of one of torchvision's classifiers."""

    head: str
    """The module whose output are the logits."""
    fingerprint: str
    """Of its names and shapes without the head; see ``fingerprint``."""
    since: str
    """The first version of torchvision that has it."""


NETWORKS: dict[str, Network] = {
    name: Network(*about)
    for name, about in json.loads(Path(__file__).with_name("networks.json").read_text("utf-8")).items()
}
_MODELS = {(about.head, about.fingerprint): name for name, about in NETWORKS.items()}
_HEADS = tuple(dict.fromkeys(about.head for about in NETWORKS.values()))


@dataclass(frozen=True)
class Fit:
    """A checkpoint's names, seen as those of a classifier."""

    model: str
    classes: int
    names: Mapping[str, str]
    """The network's name of each of the checkpoint's, as today's torchvision has them."""
    image_size: int | None
    """Side of the pictures, of networks whose weights belong to one; None for the others."""
    has_bias: bool
    """Whether the head has one."""
    left_out: tuple[str, ...]
    """Names of auxiliary heads, which only training has a use for."""
    head: str
    """The head's module in the file, where it is another one than the network's; else empty."""


def identify(shapes: Shapes) -> Fit | None:
    """The classifier to which exactly these names and shapes belong; None where there is none.

    Raises CheckpointMismatch for a network of torchvision's whose head is something else than one layer.
    """
    left_out = tuple(name for name in shapes if name.startswith(AUXILIARY))
    names = {name: current(name) for name in shapes if name not in left_out}
    for head in _HEADS:
        of_head = [name for name in names if _is_of(names[name], head)]
        rest = {names[name]: shapes[name] for name in names if name not in of_head}
        model = _MODELS.get((head, fingerprint(rest)))
        if model is None or not of_head:
            continue
        parts = {name: name.rpartition(".")[::2] for name in of_head}
        modules = {module for module, _ in parts.values()}
        kinds = sorted(kind for _, kind in parts.values())
        if "zero_point" in kinds:
            some = ", ".join(map(brief, of_head[:_NAMED]))
            raise CheckpointMismatch(
                f"the checkpoint is {model}'s with a quantised head ({some})",
                "save the network as it was before it was quantised",
            )
        if len(modules) != 1 or kinds not in (["weight"], ["bias", "weight"]):
            some = ", ".join(brief(name) for name in of_head[:_NAMED])
            raise CheckpointMismatch(
                f"the checkpoint is {model}'s with a head of several layers ({some}), of which no file "
                "says what lies between them",
                "isotorch takes a head of one layer: the network's own, or one in a Sequential with Dropout",
            )
        (module,) = modules
        renamed = {name: f"{head}.{kind}" for name, (_, kind) in parts.items()}
        (weight,) = (name for name in of_head if name.endswith("weight"))
        return Fit(
            model=model,
            classes=shapes[weight][0] if shapes[weight] else 0,
            names={**names, **renamed},
            image_size=_image_size(shapes),
            has_bias=len(kinds) == 2,
            left_out=left_out,
            head="" if module == head else module,
        )
    return None


def current(name: str) -> str:
    """The name that today's torchvision has for what its older files call ``name``."""
    name = re.sub(r"(denselayer\d+\.(?:norm|conv))\.([12]\.)", r"\1\2", name)
    name = re.sub(r"(encoder_layer_\d+\.mlp)\.linear_1\.", r"\1.0.", name)
    return re.sub(r"(encoder_layer_\d+\.mlp)\.linear_2\.", r"\1.3.", name)


def fingerprint(rest: Shapes) -> str:
    """16 hex digits of names and shapes, in today's names; of what has a size for each size of pictures,
    only that it is there. Method: SHA-256 of a line for each, sorted."""
    lines = [
        f"{name} {'*' if name == _POSITIONS else list(shape)}"
        for name, shape in rest.items()
        if not name.endswith(_COUNTER)
    ]
    return hashlib.sha256("\n".join(sorted(lines)).encode("utf-8", "replace")).hexdigest()[:_DIGITS]


def _is_of(name: str, head: str) -> bool:
    """Whether ``name`` is the head's, in its place, in a Sequential there, or in place of the Sequential."""
    parent = head.rpartition(".")[0]
    return name.startswith(f"{head}.") or (parent != "" and name in (f"{parent}.weight", f"{parent}.bias"))


def _image_size(shapes: Shapes) -> int | None:
    positions, patches = shapes.get(_POSITIONS), shapes.get(_PATCHES)
    if positions is None or patches is None or len(positions) != 3 or len(patches) != 4:
        return None
    # One position is the class token's.
    return math.isqrt(max(positions[1] - 1, 0)) * patches[2]
