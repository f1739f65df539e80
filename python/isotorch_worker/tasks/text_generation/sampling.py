"""From the logits of a token to its id: transformers' processors and warpers, with torch's own operations.

Their order is ``generate``'s: logit bias, repetition penalty, then temperature, top-k, top-p, min-p, softmax
and ``multinomial``. Without a temperature the largest is taken, after the first two alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from isotorch_worker.base.told import brief
from isotorch_worker.protocol.errors import InvalidOption, NonFiniteOutput

MOST_SEED = 2**53 - 1


@dataclass(frozen=True)
class Sampling:
    """How tokens are chosen; each default changes nothing."""

    temperature: float = 1.0
    """0: the largest logit, always."""
    top_k: int = 0
    """0: all."""
    top_p: float = 1.0
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    """Above 1: what stands in the prompt or was generated is less likely."""
    logit_bias: Mapping[int, float] = field(default_factory=dict)
    """By token id, what is added to its logit."""
    seed: int = 0

    def check(self, vocabulary: int) -> None:
        """Raises InvalidOption for what means nothing, for a network of so many tokens."""
        _finite("temperature", self.temperature, self.temperature >= 0, "0 or more")
        _finite("topP", self.top_p, 0 < self.top_p <= 1, "above 0, at most 1")
        _finite("minP", self.min_p, 0 <= self.min_p <= 1, "0 to 1")
        _finite("repetitionPenalty", self.repetition_penalty, self.repetition_penalty > 0, "above 0")
        if self.top_k < 0:
            raise InvalidOption(f"topK: expected 0 or more, received {self.top_k}")
        if not 0 <= self.seed <= MOST_SEED:
            raise InvalidOption(f"seed: expected 0 to {MOST_SEED}, received {self.seed}")
        for token, bias in self.logit_bias.items():
            _finite("logitBias", bias, True, "finite")
            if not 0 <= token < vocabulary:
                raise InvalidOption(
                    f"logitBias: expected tokens from 0 to {vocabulary - 1}, received {token}"
                )


class Sampler:
    """Chooses one token after the other for one text, with a random state of its own."""

    def __init__(self, sampling: Sampling, vocabulary: int, device: torch.device) -> None:
        """Raises InvalidOption as ``Sampling.check``."""
        sampling.check(vocabulary)
        self._how = sampling
        # A generator of its own gives the numbers that torch.manual_seed(seed) gives in a program that draws
        # nothing else.
        self._generator = torch.Generator(device).manual_seed(sampling.seed)
        self._bias: Tensor | None = None
        if sampling.logit_bias:
            self._bias = torch.zeros(vocabulary, device=device)
            for token, bias in sampling.logit_bias.items():
                self._bias[token] = bias

    def choose(self, logits: Tensor, before: Tensor) -> Tensor:
        """The next id [1, 1] by logits [1, V], for the ids [1, T] before it."""
        scores = self._processed(logits, before)
        if self._how.temperature == 0:
            return torch.argmax(scores, dim=-1, keepdim=True)
        probabilities = torch.softmax(self._warped(scores), dim=-1)
        return torch.multinomial(probabilities, num_samples=1, generator=self._generator)

    def _processed(self, scores: Tensor, before: Tensor) -> Tensor:
        if self._bias is not None:
            scores = scores + self._bias
        if self._how.repetition_penalty != 1:
            scores = penalised(scores, before, self._how.repetition_penalty)
        return scores

    def _warped(self, scores: Tensor) -> Tensor:
        how = self._how
        if how.temperature != 1:
            scores = scores / how.temperature
        if how.top_k > 0:
            scores = top_k(scores, how.top_k)
        if how.top_p < 1:
            scores = top_p(scores, how.top_p)
        if how.min_p > 0:
            scores = min_p(scores, how.min_p)
        return scores


def penalised(scores: Tensor, before: Tensor, penalty: float) -> Tensor:
    """Scores [1, V] with those of the ids [1, T] divided by ``penalty``, or multiplied where below 0."""
    theirs = torch.gather(scores, 1, before)
    theirs = torch.where(theirs < 0, theirs * penalty, theirs / penalty)
    return scores.scatter(1, before, theirs)


def top_k(scores: Tensor, count: int) -> Tensor:
    """Scores [1, V] without those below the ``count`` largest; what is equal to the last of these stays."""
    least = torch.topk(scores, min(count, scores.size(-1)))[0][..., -1, None]
    return _without(scores, scores < least)


def top_p(scores: Tensor, probability: float) -> Tensor:
    """Scores [1, V] of the fewest tokens that together have ``probability``, at least one."""
    ordered, places = torch.sort(scores, descending=False)
    removed = ordered.softmax(dim=-1).cumsum(dim=-1) <= (1 - probability)
    removed[..., -1:] = False
    return _without(scores, removed.scatter(1, places, removed))


def min_p(scores: Tensor, part: float) -> Tensor:
    """Scores [1, V] of the tokens that have ``part`` of the likeliest one's probability, at least one."""
    probabilities = torch.softmax(scores, dim=-1)
    largest = probabilities.max(dim=-1, keepdim=True)[0]
    removed = probabilities < part * largest
    places = torch.argsort(scores, descending=True, dim=-1)
    ordered = torch.gather(removed, dim=-1, index=places)
    ordered[..., :1] = False
    return _without(scores, ordered.scatter(1, places, ordered))


def log_probabilities(logits: Tensor) -> Tensor:
    """Of logits [1, V], nothing left out and at temperature 1. Raises NonFiniteOutput."""
    if not bool(torch.isfinite(logits).all()):
        raise NonFiniteOutput("the logits of the next token are not finite")
    return torch.log_softmax(logits, dim=-1)


def candidates(logprobs: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The ``count`` likeliest ids [k] and their log probabilities [k], best first; of equals the lower id."""
    if count == 0:
        return torch.empty(0, dtype=torch.long), torch.empty(0)
    if count == 0:
        # To sort a whole vocabulary takes a tenth of GPT-2's step.
        return logprobs.new_empty(0, dtype=torch.long), logprobs.new_empty(0)
    values, places = torch.sort(logprobs[0], descending=True, stable=True)
    return places[:count].contiguous(), values[:count].contiguous()


def _without(scores: Tensor, removed: Tensor) -> Tensor:
    return scores.masked_fill(removed, -math.inf)


def _finite(name: str, value: float, is_right: bool, wanted: str) -> None:
    if not math.isfinite(value) or not is_right:
        raise InvalidOption(f"{name}: expected a number, {wanted}, received {brief(value)}")


def ids_of(values: Sequence[int], device: torch.device) -> Tensor:
    """[1, T] of ids."""
    return torch.tensor([list(values)], dtype=torch.long, device=device)
