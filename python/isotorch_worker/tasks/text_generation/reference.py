"""Whose bits a text has: transformers' ``generate`` of one generation, because they are not all the same."""

from __future__ import annotations

import re
from typing import NamedTuple


class Reference(NamedTuple):
    """``GPT2LMHeadModel(attn_implementation="eager").generate(use_cache=True)``, a prompt alone, unpadded."""

    transformers: str
    """The versions that compute so."""
    head: str
    """``all``: the head is computed over all rows of the prompt, and the last one is used; ``last``: over
    the last row alone. It changes bits of the first token's logits."""
    scale: str
    """``divide``: scores are divided by the square root of a head's size; ``multiply``: multiplied with its
    reciprocal. The same bits for sizes of 16, 64 and 256, other bits for 32 and 128."""

    @property
    def text(self) -> str:
        """One line, for people."""
        return (
            f"transformers {self.transformers} GPT2LMHeadModel, eager attention, generate(use_cache=True), "
            "prompt alone, unpadded"
        )


REFERENCES = (
    Reference("4.26 to 4.52", "all", "divide"),
    Reference("4.53 to 5.3", "last", "divide"),
    Reference("5.4 and later", "last", "multiply"),
)


def reference_for(torch_version: str) -> Reference:
    """That of the transformers that fits this torch: 4.53 wants torch 2.1, those that multiply 2.4."""
    match = re.match(r"(\d+)\.(\d+)", torch_version)
    version = (int(match[1]), int(match[2])) if match is not None else (0, 0)
    return REFERENCES[0 if version < (2, 1) else 1 if version < (2, 4) else 2]
