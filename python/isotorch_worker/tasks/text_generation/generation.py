"""One text on its way: the prompt in one pass, then one token with each step."""

from __future__ import annotations

import math
import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor

from isotorch_worker.protocol.errors import ContextLength, InvalidInput, InvalidOption
from isotorch_worker.tasks.text_generation.config import Config
from isotorch_worker.tasks.text_generation.gpt2 import Cache, Gpt2
from isotorch_worker.tasks.text_generation.sampling import (
    Sampler,
    Sampling,
    candidates,
    ids_of,
    log_probabilities,
)

STOP, LENGTH = "stop", "length"


@dataclass(frozen=True)
class Wanted:
    """What a text is to be: everything that it depends on, beside the network and where it is computed."""

    prompt: Sequence[int]
    max_tokens: int
    sampling: Sampling = field(default_factory=Sampling)
    stop: Collection[int] = ()
    """Ids that end it; the one that does is its last."""
    candidates: int = 0
    """How many of the likeliest tokens are told with each."""

    def check(self, config: Config) -> None:
        """Raises InvalidOption, InvalidInput or ContextLength for what this network cannot do."""
        check_prompt(self.prompt, config)
        if self.max_tokens < 1:
            raise InvalidOption(f"maxTokens: expected 1 or more, received {self.max_tokens}")
        if len(self.prompt) + self.max_tokens > config.positions:
            raise ContextLength(
                f"the prompt has {len(self.prompt)} tokens and {self.max_tokens} more are wanted, and this "
                f"network sees {config.positions}",
                "shorten the prompt, or lower `maxTokens`",
            )
        if not 0 <= self.candidates <= config.vocabulary:
            raise InvalidOption(f"candidates: expected 0 to {config.vocabulary}, received {self.candidates}")
        self.sampling.check(config.vocabulary)


class Step(NamedTuple):
    """A token. Log probabilities are those of all tokens at temperature 1, whatever was sampled from."""

    token: int
    logprob: Tensor
    """float32 [1]."""
    candidates: tuple[Tensor, Tensor]
    """Ids [k] and their log probabilities [k], best first."""
    logits: Tensor
    """float32 [1, V], as the network gave them."""


class Stream:
    """One text, with a cache and a random state of its own: it depends on nobody who computes beside it."""

    def __init__(self, network: Gpt2, wanted: Wanted) -> None:
        """Computes nothing yet. Raises as ``Wanted.check``."""
        wanted.check(network.config)
        self._network = network
        self._wanted = wanted
        device = network.wte.weight.device
        self._sampler = Sampler(wanted.sampling, network.config.vocabulary, device)
        self._cache = Cache()
        self._next = self._ids = ids_of(wanted.prompt, device)
        self._pass: Iterator[Tensor | None] | None = None
        """What was begun with ``_next``."""
        self.tokens: list[int] = []
        """What was generated so far."""

    @property
    def finish_reason(self) -> str | None:
        """Why no token follows: ``stop`` or ``length``; None while one does."""
        if self.tokens and self.tokens[-1] in self._wanted.stop:
            return STOP
        return LENGTH if len(self.tokens) >= self._wanted.max_tokens else None

    def step(self) -> Step:
        """The next token. Raises NonFiniteOutput, or what torch raises."""
        while (step := self.advance(math.inf)) is None:
            pass
        return step

    def advance(self, seconds: float) -> Step | None:
        """The next token; None where the prompt took so long, which goes on with the next call.

        Raises as ``step``.
        """
        if self.finish_reason is not None:
            raise RuntimeError("the text is finished")
        with torch.inference_mode():
            hidden = self._hidden(time.perf_counter() + seconds)
            return None if hidden is None else self._chosen(self._network.next_logits(hidden))

    def _hidden(self, until: float) -> Tensor | None:
        """What the head is given for ``_next``; None where it is a prompt and there was no time for all."""
        self._pass = self._pass or self._network.slices(self._next, self._cache)
        for hidden in self._pass:
            if hidden is not None:
                self._pass = None
                return hidden
            if not self.tokens and time.perf_counter() >= until:
                break
        return None

    def _chosen(self, logits: Tensor) -> Step:
        logprobs = log_probabilities(logits)
        self._next = self._sampler.choose(logits, self._ids)
        self._ids = torch.cat((self._ids, self._next), dim=-1)
        token = int(self._next)
        self.tokens.append(token)
        likeliest = candidates(logprobs, self._wanted.candidates)
        return Step(token, logprobs[0, token : token + 1], likeliest, logits)


def check_prompt(prompt: Sequence[int], config: Config) -> None:
    """Raises InvalidInput for a prompt that is empty or of other tokens than the network has, and
    ContextLength for one that is too long."""
    if not prompt:
        raise InvalidInput("the prompt is empty", "give at least one token")
    if len(prompt) > config.positions:
        raise ContextLength(
            f"the prompt has {len(prompt)} tokens, and this network sees {config.positions}",
            "shorten the prompt",
        )
    for token in prompt:
        if not 0 <= token < config.vocabulary:
            raise InvalidInput(
                f"the prompt has the token {token}, and this network has {config.vocabulary}",
                "use the vocabulary that belongs to the network",
            )
