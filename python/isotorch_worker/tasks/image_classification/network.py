"""From a checkpoint's state dict to the network that it belongs to, filled."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor, nn

from isotorch_worker.base.told import brief
from isotorch_worker.checkpoints.networks import Fit, identify
from isotorch_worker.protocol.errors import CheckpointMismatch
from isotorch_worker.runtime.build import FOR_WEIGHTS, build
from isotorch_worker.runtime.fill import load_state

_NAMED = 3
# Whose names they are, where they are nobody's of torchvision.
_OTHERS = {
    "timm": re.compile(
        r"(conv_stem|patch_embed\.proj|blocks\.\d+\.|stages\.\d+\.|stem\.|s\d\.b\d+\.|layers\.\d+\.blocks\.|head\.fc)"
    ),
    "Hugging Face transformers": re.compile(
        r"(?:\w+\.)?(embeddings\.|embedder\.|encoder\.(layers?|stages)\.\d+\.(attention|layers|layernorm)|pooler\.)"
    ),
}


@dataclass(frozen=True)
class Filled:
    """A network in evaluation mode with a checkpoint's values."""

    network: nn.Module
    fit: Fit
    remarks: tuple[str, ...]
    """Sentences on what was decided, where the file leaves something open."""


def fill(state: Mapping[str, Tensor], model: str | None = None) -> Filled:
    """The network of ``state``, which is ``model`` where that is told. No random weight, none left over.

    Raises CheckpointMismatch that says whose the state dict is, and what ``build`` and ``load_state`` raise.
    """
    fit = _fit(state, model)
    network = build(fit.model, fit.classes, fit.image_size, fit.has_bias)
    load_state(network, {fit.names[name]: value for name, value in state.items() if name in fit.names})
    return Filled(network, fit, tuple(_remarks(fit)))


def _fit(state: Mapping[str, Tensor], model: str | None) -> Fit:
    fit = identify({name: tuple(value.shape) for name, value in state.items()})
    if fit is None:
        raise _nobodys(state, model)
    if model is not None and fit.model != model:
        raise CheckpointMismatch(
            f"the checkpoint is {fit.model}'s with {fit.classes} classes, and {model} was asked for",
            f"leave `model` out (--model), or say {fit.model}",
        )
    return fit


def _nobodys(state: Mapping[str, Tensor], model: str | None) -> CheckpointMismatch:
    names = list(state)
    some = ", ".join(brief(name) for name in names[:_NAMED])
    for whose, pattern in _OTHERS.items():
        if sum(1 for name in names if pattern.match(name)) * 2 > len(names):
            return CheckpointMismatch(
                f"the checkpoint has the names of {whose} ({some}, …), not torchvision's",
                "of timm's, resnet, resnext, wide_resnet and densenet have torchvision's names and load",
            )
    if model is not None:
        try:
            load_state(build(model), state)
        except CheckpointMismatch as error:
            return error
    return CheckpointMismatch(
        f"the checkpoint is none of torchvision's classifiers: none has exactly these {len(names)} tensors "
        f"({some}, …)",
        "name the network that you mean with `model` (--model), and the answer says in what it differs",
    )


def _remarks(fit: Fit) -> list[str]:
    remarks: list[str] = []
    if fit.head:
        remarks.append(
            f"The head is {fit.head}: what stands beside it has no weights and is taken for Dropout."
        )
    if fit.left_out:
        remarks.append(
            f"{len(fit.left_out)} tensors of auxiliary heads ({fit.left_out[0]}, …) were left out: only "
            "training uses them."
        )
    if FOR_WEIGHTS.get(fit.model, {}).get("transform_input", False):
        remarks.append(
            f"{fit.model} has transform_input=True, as torchvision sets it for its weights; no file says it."
        )
    return remarks
