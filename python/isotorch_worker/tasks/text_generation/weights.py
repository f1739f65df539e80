"""From a safetensors file to a network that is filled with it."""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from torch import Tensor

from isotorch_worker.base.told import brief
from isotorch_worker.checkpoints.candidates import choose
from isotorch_worker.checkpoints.reader import Contents
from isotorch_worker.checkpoints.safetensors import is_safetensors
from isotorch_worker.protocol.errors import CheckpointMismatch
from isotorch_worker.runtime.fill import load_state
from isotorch_worker.tasks.text_generation.config import Config
from isotorch_worker.tasks.text_generation.gpt2 import Gpt2
from isotorch_worker.tasks.text_generation.reference import Reference

PREFIX = "transformer."
_HEAD = "lm_head.weight"
_MASK = re.compile(r"^h\.\d{1,4}\.attn\.bias$")
_MASKED = re.compile(r"^h\.\d{1,4}\.attn\.masked_bias$")
# What hid a score before transformers 4.17 took the least number: its exponential is 0 as well.
_MASKED_VALUES = (-1e4, -1e9)


def fill(contents: Contents, config: Config, reference: Reference) -> tuple[Gpt2, str, list[str]]:
    """The network of ``config`` with a file's values in float32, what was stripped from the front of the
    names, and sentences on what was decided.

    Names are ``GPT2Model``'s or, with ``transformer.`` before them, ``GPT2LMHeadModel``'s. Masks must be the
    constant ones, and a head the tokens' own embeddings. Raises CheckpointMismatch for these, for a tensor
    too few or too many and for another shape; and as ``load_state``.
    """
    if not is_safetensors(contents.data):
        raise CheckpointMismatch(
            "the checkpoint is no safetensors file, as the weights of a text generator are",
            "save it with transformers: model.save_pretrained(folder, safe_serialization=True)",
        )
    state = dict(contents.state_dict(choose(contents.value)))
    head = state.pop(_HEAD, None)
    prefix = PREFIX if state and all(name.startswith(PREFIX) for name in state) else ""
    state = {name[len(prefix) :]: value for name, value in state.items()}
    _check_head(head, state.get("wte.weight"))
    given = {name: value for name, value in state.items() if not _is_mask(name, value, config)}
    _check_shapes(given, config)
    network = Gpt2(config, reference)
    load_state(network, given)
    return network, prefix, list(_remarks(given))


def _check_head(head: Tensor | None, embedding: Tensor | None) -> None:
    """Raises where the head is a matrix of its own."""
    if head is None or embedding is None:
        return
    if head.dtype != embedding.dtype or not torch.equal(head, embedding):
        raise CheckpointMismatch(
            f"the checkpoint has a {_HEAD} that is not wte.weight: a head of its own is not computed here"
        )


def _is_mask(name: str, value: Tensor, config: Config) -> bool:
    """Whether it is one of the constants that older files have. Raises where it has their name alone."""
    if _MASK.match(name):
        side = config.positions
        mask = torch.ones(side, side, dtype=torch.bool).tril()
        if tuple(value.shape) == (1, 1, side, side) and torch.equal(
            value[0, 0].to(torch.float32), mask.float()
        ):
            return True
    elif _MASKED.match(name):
        if value.shape == () and float(value) in _MASKED_VALUES:
            return True
    else:
        return False
    raise CheckpointMismatch(
        f"the checkpoint has another mask in {brief(name)} than GPT-2's of {config.positions} tokens"
    )


def _check_shapes(state: Mapping[str, Tensor], config: Config) -> None:
    """Raises before memory is taken for sizes that config.json alone claims."""
    wanted = config.shapes()
    if state.keys() == wanted.keys():
        for name, shape in wanted.items():
            if tuple(state[name].shape) != shape:
                raise CheckpointMismatch(
                    f"the checkpoint does not fit config.json: {name} is {list(state[name].shape)}, "
                    f"expected {list(shape)}"
                )
        return
    missing = [name for name in wanted if name not in state]
    extra = [name for name in state if name not in wanted]
    found = [
        f"{what}: {_some(names)}" for what, names in (("missing", missing), ("unexpected", extra)) if names
    ]
    raise CheckpointMismatch(f"the checkpoint does not fit config.json: {'; '.join(found)}")


def _some(names: list[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(map(brief, names[:3])) + more


def _remarks(state: Mapping[str, Tensor]) -> list[str]:
    kinds = sorted({str(value.dtype).rpartition(".")[2] for value in state.values()} - {"float32"})
    if not kinds:
        return []
    return [f"The weights are stored as {' and '.join(kinds)}; they are computed with in float32."]
