"""What one pass over a text goes through, for whoever looks inside."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from isotorch_worker.protocol.errors import NonFiniteOutput
from isotorch_worker.tasks.text_generation.generation import check_prompt
from isotorch_worker.tasks.text_generation.gpt2 import Gpt2, Seen
from isotorch_worker.tasks.text_generation.sampling import ids_of


def inspect(network: Gpt2, prompt: Sequence[int]) -> dict[str, Tensor]:
    """Everything that the network makes of T tokens of width D, float32 on the CPU:

    ``tokenEmbeddings`` and ``positionEmbeddings`` [T, D]; ``attention`` [layer, head, T, T], who looks at
    whom; ``hidden`` [layer, T, D], what each layer gives; ``norm`` [T, D], what the head is given; ``logits``
    [T, V], of the token behind each.

    As ``GPT2LMHeadModel``'s own forward, whose head is over all rows. Raises InvalidOption for a prompt that
    cannot be, NonFiniteOutput, or what torch raises.
    """
    check_prompt(prompt, network.config)
    seen = Seen()
    with torch.inference_mode():
        norm = network(ids_of(prompt, network.wte.weight.device), seen=seen)
        logits = network.head(norm)
        if seen.tokens is None or seen.positions is None:
            raise RuntimeError("the network kept nothing")
        if not bool(torch.isfinite(logits).all()):
            raise NonFiniteOutput("the logits are not finite")
        found = {
            "tokenEmbeddings": seen.tokens[0],
            "positionEmbeddings": seen.positions[0],
            "attention": torch.cat(seen.attention),
            "hidden": torch.cat(seen.hidden),
            "norm": norm[0],
            "logits": logits[0],
        }
        return {name: value.cpu().contiguous() for name, value in found.items()}
