"""What one pass over a text goes through, stage by stage, for whoever looks inside."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence

import torch
from torch import Tensor

from isotorch_worker.protocol.errors import InvalidInput, NonFiniteOutput
from isotorch_worker.protocol.schema import MAX_FRAME_BYTES
from isotorch_worker.tasks.text_generation.config import Config
from isotorch_worker.tasks.text_generation.generation import check_prompt
from isotorch_worker.tasks.text_generation.gpt2 import Cache, Gpt2
from isotorch_worker.tasks.text_generation.sampling import ids_of

Stage = dict[str, Tensor]

NEAREST = 8
"""Tokens that are told of each token's neighbours."""


def stages(network: Gpt2, prompt: Sequence[int], include: Collection[str]) -> Iterator[Stage]:
    """What the network makes of T tokens of width D, float32: one dict for the embeddings, one for each
    layer, one for the end, with what of it ``include`` names.

    ``embeddings``: ``tokenEmbeddings`` and ``positionEmbeddings`` [T, D]. ``nearest`` and ``nearestCosines``
    [T, K]: which other tokens have embeddings like each token's, as ``neighbours`` finds them. ``attention``
    [head, T, T], who looks at whom, and ``hidden`` [T, D], what the layer gives. ``norm`` [T, D], what the
    head is given; ``logits`` [T, V], of the token behind each. The pass is ``GPT2LMHeadModel``'s own, whose
    head is over all rows.

    Each stage is computed when it is asked for. Raises as ``check_prompt``, InvalidInput for a stage that is
    larger than a message, NonFiniteOutput, or what torch raises.
    """
    _check(prompt, include, network.config)
    cache = Cache()
    # No mode of torch's outlives a stage: what is asked for in between is not this pass's.
    with torch.inference_mode():
        tokens, positions = network.embed(ids_of(prompt, network.wte.weight.device))
        hidden = tokens + positions
    found: Stage = {}
    if "embeddings" in include:
        found = {"tokenEmbeddings": tokens[0], "positionEmbeddings": positions[0]}
    if "nearest" in include:
        found["nearest"], found["nearestCosines"] = neighbours(network, prompt)
    yield found
    for block in network.h:
        seen: list[Tensor] = []
        with torch.inference_mode():
            hidden = block(hidden, cache, seen)
        yield _included({"attention": seen[0][0], "hidden": hidden[0]}, include)
    end: Stage = {}
    with torch.inference_mode():
        if "norm" in include or "logits" in include:
            end["norm"] = network.ln_f(hidden)[0]
        if "logits" in include:
            end["logits"] = network.head(end["norm"].unsqueeze(0))[0]
            if not bool(torch.isfinite(end["logits"]).all()):
                raise NonFiniteOutput("the logits are not finite")
    yield _included(end, include)


def neighbours(network: Gpt2, prompt: Sequence[int]) -> tuple[Tensor, Tensor]:
    """For each token of ``prompt`` the NEAREST other ones by the cosine of their embeddings, nearest first,
    of equals the lower id: ids [T, K] and cosines [T, K]. Raises NonFiniteOutput."""
    found: dict[int, tuple[Tensor, Tensor]] = {}
    with torch.inference_mode():
        table = network.wte.weight
        # A row of zeros points nowhere: its cosines are 0.
        lengths = table.norm(dim=1).clamp_min(torch.finfo(table.dtype).tiny)
        for token in prompt:
            if token in found:
                continue
            cosines = torch.mv(table, table[token]) / lengths / lengths[token]
            if not bool(torch.isfinite(cosines).all()):
                raise NonFiniteOutput("the embeddings are not finite")
            cosines[token] = -math.inf
            order = torch.sort(cosines, descending=True, stable=True)
            found[token] = order.indices[:NEAREST].clone(), order.values[:NEAREST].clone()
    ids, values = zip(*(found[token] for token in prompt))
    return torch.stack(ids), torch.stack(values)


def _check(prompt: Sequence[int], include: Collection[str], config: Config) -> None:
    """Raises as ``check_prompt``, and InvalidInput for a stage that is larger than a message, or for
    neighbours where there are not enough tokens."""
    check_prompt(prompt, config)
    if "nearest" in include and config.vocabulary <= NEAREST:
        raise InvalidInput(
            f"{config.vocabulary} tokens are too few to tell the {NEAREST} nearest ones", "leave out nearest"
        )
    length = len(prompt)
    values = {"attention": config.heads * length**2, "logits": length * config.vocabulary}
    for name, count in values.items():
        if name in include and 4 * count > MAX_FRAME_BYTES:
            raise InvalidInput(
                f"the {name} of {length} tokens take {4 * count} bytes, and a frame has {MAX_FRAME_BYTES}",
                f"inspect a shorter text, or leave out {name}",
            )


def _included(stage: Stage, include: Collection[str]) -> Stage:
    return {name: value for name, value in stage.items() if name in include}
