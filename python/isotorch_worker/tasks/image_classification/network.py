"""From a checkpoint's state dict to the network that it belongs to, filled."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor, nn

from isotorch_worker.base.told import brief
from isotorch_worker.checkpoints.candidates import Candidate, choose
from isotorch_worker.checkpoints.networks import NETWORKS, Fit, identify
from isotorch_worker.checkpoints.prefixes import without_prefix
from isotorch_worker.checkpoints.reader import Contents
from isotorch_worker.protocol.errors import CheckpointMismatch
from isotorch_worker.runtime.build import FOR_WEIGHTS, build
from isotorch_worker.runtime.fill import load_state

_NAMED = 3
# Of a network that nothing is told of.
_CLASSES = 1000
# Whose names they are, where they are nobody's of torchvision.
_OTHERS = {
    "timm": re.compile(
        r"(conv_stem|patch_embed\.proj|blocks\.\d+\.|stages\.\d+\.|stem\.|s\d\.b\d+\.|layers\.\d+\.blocks\.|head\.fc)"
    ),
    "Hugging Face transformers": re.compile(
        r"^(?:\w+\.)?(embeddings\.|embedder\.|encoder\.(layers?|stages)\.\d+\.(attention|layers|layernorm)|pooler\.)"
    ),
}


@dataclass(frozen=True)
class Filled:
    """A network in evaluation mode with a checkpoint's values."""

    network: nn.Module
    fit: Fit
    key: str
    """Where in the file its state dict was; empty for the whole file."""
    prefix: str
    """What was stripped from the front of each name."""
    remarks: tuple[str, ...]
    """Sentences on what was decided, where the file leaves something open."""


def fill(contents: Contents, model: str | None = None, key: str | None = None) -> Filled:
    """The network of a file's state dict, at ``key`` where it has several, filled with all of it.

    It must be ``model``'s, where that is told. A prefix of all names goes, where what is left is a network's,
    completely. Raises CheckpointMismatch that says whose the state dict is, and what ``choose``,
    ``without_prefix``, ``build`` and ``load_state`` raise.
    """
    chosen = choose(contents.value, key)
    prefix, candidate = without_prefix(chosen, lambda shapes: identify(shapes) is not None)
    state = contents.state_dict(candidate)
    fit = _fit(state, model)
    network = build(fit.model, fit.classes, fit.image_size, fit.has_bias)
    load_state(network, {fit.names[name]: value for name, value in state.items() if name in fit.names})
    return Filled(network, fit, chosen.key, prefix, tuple(_remarks(fit, candidate)))


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
            load_state(build(model, _classes(state, model)), state)
        except CheckpointMismatch as error:
            return error
    return CheckpointMismatch(
        f"the checkpoint is none of torchvision's classifiers: none has exactly these {len(names)} tensors "
        f"({some}, …)",
        "name the network that you mean with `model` (--model), and the answer says in what it differs",
    )


def _classes(state: Mapping[str, Tensor], model: str) -> int:
    """As many as the head has: what is wrong with the file is not that it has classes of its own."""
    head = state.get(f"{NETWORKS[model].head}.weight")
    return head.shape[0] if head is not None and head.dim() > 1 and head.shape[0] > 0 else _CLASSES


def _remarks(fit: Fit, candidate: Candidate) -> list[str]:
    remarks: list[str] = []
    if candidate.beside:
        names = [f"{brief(name)} ({brief(what)})" for name, what in list(candidate.beside.items())[:_NAMED]]
        more = f" and {len(candidate.beside) - _NAMED} more" if len(candidate.beside) > _NAMED else ""
        remarks.append(f"Beside the tensors stands what no network has: {', '.join(names)}{more}.")
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
