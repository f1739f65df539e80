"""GPT-2 as transformers' ``GPT2LMHeadModel`` computes it with eager attention, operation for operation.

The same operations of torch in the same order on tensors of the same layout, so that every bit is the same;
what changes none (dropout, masks where nothing is hidden) is left out. Names are those of ``GPT2Model``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from isotorch_worker.tasks.text_generation.config import Config
from isotorch_worker.tasks.text_generation.reference import Reference


class Cache:
    """The keys and values [1, head, token, size] of the tokens so far, by layer."""

    def __init__(self) -> None:
        self._layers: dict[int, tuple[Tensor, Tensor]] = {}
        self.length = 0
        """How many tokens every layer has."""

    def grow(self, layer: int, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """All keys and values of ``layer``, those of the new tokens behind the others."""
        before = self._layers.get(layer)
        if before is not None:
            key, value = torch.cat((before[0], key), dim=-2), torch.cat((before[1], value), dim=-2)
        self._layers[layer] = key, value
        return key, value


class Conv1D(nn.Module):
    """A linear layer whose weight is [in, out], as OpenAI's files have it."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(inputs, outputs))
        self.bias = nn.Parameter(torch.empty(outputs))

    def forward(self, given: Tensor) -> Tensor:
        flat = torch.addmm(self.bias, given.view(-1, given.size(-1)), self.weight)
        return flat.view(*given.shape[:-1], flat.size(-1))


class Attention(nn.Module):
    """Every token looks at those before it and at itself, in several heads."""

    def __init__(self, config: Config, layer: int, reference: Reference) -> None:
        super().__init__()
        self.c_attn = Conv1D(config.width, 3 * config.width)
        self.c_proj = Conv1D(config.width, config.width)
        self._heads = config.heads
        self._layer = layer
        self._multiplies = reference.scale == "multiply"

    def forward(self, given: Tensor, cache: Cache, seen: list[Tensor] | None = None) -> Tensor:
        query, key, value = map(self._by_head, self.c_attn(given).split(given.size(-1), dim=2))
        key, value = cache.grow(self._layer, key, value)
        weights = F.softmax(self._masked(self._scores(query, key)), dim=-1)
        if seen is not None:
            seen.append(weights)
        joined = torch.matmul(weights, value).permute(0, 2, 1, 3).contiguous().view(given.shape)
        return cast("Tensor", self.c_proj(joined))

    def _by_head(self, tensor: Tensor) -> Tensor:
        return tensor.view(*tensor.shape[:-1], self._heads, -1).permute(0, 2, 1, 3)

    def _scores(self, query: Tensor, key: Tensor) -> Tensor:
        scores = torch.matmul(query, key.transpose(-1, -2))
        size = query.size(-1)
        if self._multiplies:
            return scores * size**-0.5
        # By a tensor: by a number of Python torch may round otherwise.
        return scores / torch.full([], size**0.5, dtype=scores.dtype, device=scores.device)

    def _masked(self, scores: Tensor) -> Tensor:
        """The scores with the least number wherever a token would look ahead."""
        new, all_ = scores.shape[-2:]
        if new == 1:
            return scores
        sees = torch.ones(new, all_, dtype=torch.bool, device=scores.device).tril(all_ - new)
        least = torch.full([], torch.finfo(scores.dtype).min, dtype=scores.dtype, device=scores.device)
        return torch.where(sees, scores, least)


class Mlp(nn.Module):
    """Each token by itself: wider, GELU, back."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.c_fc = Conv1D(config.width, config.inner)
        self.c_proj = Conv1D(config.inner, config.width)

    def forward(self, given: Tensor) -> Tensor:
        return cast("Tensor", self.c_proj(gelu_new(self.c_fc(given))))


class Block(nn.Module):
    """A layer."""

    def __init__(self, config: Config, layer: int, reference: Reference) -> None:
        super().__init__()
        self.ln_1 = nn.LayerNorm(config.width, eps=config.epsilon)
        self.attn = Attention(config, layer, reference)
        self.ln_2 = nn.LayerNorm(config.width, eps=config.epsilon)
        self.mlp = Mlp(config)

    def forward(self, given: Tensor, cache: Cache, seen: list[Tensor] | None = None) -> Tensor:
        """``seen`` is given who looks at whom [1, head, T, all]: each row's sum is 1."""
        between = self.attn(self.ln_1(given), cache, seen) + given
        return cast("Tensor", between + self.mlp(self.ln_2(between)))


class Gpt2(nn.Module):
    """The network, its parameters uninitialised: they must all be loaded."""

    def __init__(self, config: Config, reference: Reference) -> None:
        super().__init__()
        self.config = config
        self.reference = reference
        self.wte = _embedding(config.vocabulary, config.width)
        self.wpe = _embedding(config.positions, config.width)
        self.h = nn.ModuleList(Block(config, layer, reference) for layer in range(config.layers))
        self.ln_f = nn.LayerNorm(config.width, eps=config.epsilon)
        self.eval()

    def embed(self, ids: Tensor, first: int = 0) -> tuple[Tensor, Tensor]:
        """The embeddings [1, T, D] of the tokens ids [1, T], and of their positions, ``first`` and on."""
        places = torch.arange(first, first + ids.size(-1), dtype=torch.long, device=ids.device)
        return self.wte(ids), self.wpe(places.unsqueeze(0))

    def slices(self, ids: Tensor, cache: Cache) -> Iterator[Tensor | None]:
        """``forward`` a layer at a time: None for each but the last, which gives what ``forward`` does."""
        tokens, positions = self.embed(ids, cache.length)
        hidden: Tensor = tokens + positions
        for layer, block in enumerate(self.h):
            if layer > 0:
                yield None
            hidden = block(hidden, cache)
        cache.length += ids.size(-1)
        yield cast("Tensor", self.ln_f(hidden))

    def forward(self, ids: Tensor, cache: Cache) -> Tensor:
        """What the head is given [1, T, D] for the next T tokens, ids [1, T], behind those of ``cache``."""
        *_, hidden = self.slices(ids, cache)
        return cast("Tensor", hidden)

    def head(self, hidden: Tensor) -> Tensor:
        """The logits [1, T, V] of what ``forward`` gave: the tokens' own embeddings are the head."""
        return F.linear(hidden, self.wte.weight)

    def next_logits(self, hidden: Tensor) -> Tensor:
        """The logits [1, V] of the token behind the last of ``hidden``, as ``generate`` computes them.

        A matrix product over one row gives other bits than over all: which it is, the reference says.
        """
        if self.reference.head == "last":
            hidden = hidden[:, -1:, :]
        return self.head(hidden)[:, -1, :]


def gelu_new(given: Tensor) -> Tensor:
    """GELU by tanh, as OpenAI wrote it. ``gelu(approximate="tanh")`` is the same curve and other bits."""
    inside = math.sqrt(2.0 / math.pi) * (given + 0.044715 * torch.pow(given, 3.0))
    return 0.5 * given * (1.0 + torch.tanh(inside))


def _embedding(count: int, width: int) -> nn.Embedding:
    # With a weight it draws none.
    return nn.Embedding(count, width, _weight=torch.empty(count, width))
