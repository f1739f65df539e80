"""From what a request holds to an answer: tensor -> logits -> ranking. No I/O."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from isotorch_worker.protocol.errors import BadTensor, NonFiniteOutput


class Output(NamedTuple):
    """What a pass gave for N pictures, on the device where it was made.

    ``logits`` float32 [N,C]; ``embedding`` float32 [N,D]; ``indices`` int64 [N,C], the classes best first;
    ``softmax`` and ``sigmoid`` of the logits, float32 [N,C] in 0..1, in class order.
    """

    logits: Tensor
    embedding: Tensor
    indices: Tensor
    softmax: Tensor
    sigmoid: Tensor


class Ranking(NamedTuple):
    """The best k classes of N pictures.

    ``indices`` int64 [N,k]; ``scores`` float32 [N,k] in 0..1; ``percentages`` float32 [N,k] in 0..100;
    ``probabilities`` float32 [N,C] in 0..1, in class order.
    """

    indices: Tensor
    scores: Tensor
    percentages: Tensor
    probabilities: Tensor


def tensor_from_floats(data: bytearray, shape: tuple[int, ...]) -> Tensor:
    """float32 [N,3,H,W] over ``data``, without a copy.

    Raises BadTensor naming the first picture that holds NaN or an infinity.
    """
    tensor = torch.frombuffer(data, dtype=torch.float32).reshape(shape)
    # A finite sum has finite terms; only where it is not (it may also overflow) each value is looked at.
    # NumPy's sum, because torch would wake its other threads for it, which takes longer than the sum.
    with np.errstate(all="ignore"):
        total = np.frombuffer(data, np.float32).sum()
    if np.isfinite(total):
        return tensor
    finite = torch.isfinite(tensor).flatten(1).all(dim=1)
    if not bool(finite.all()):
        first = int((~finite).nonzero()[0].item())
        raise BadTensor(f"picture {first + 1} of {shape[0]} holds NaN or an infinity")
    return tensor


def forward(network: nn.Module, batch: Tensor, device: torch.device) -> Tensor:
    """Logits, float32 [N,C] on ``device``, of a batch [N,3,H,W].

    Raises NonFiniteOutput, or whatever torch raises.
    """
    with torch.inference_mode():
        logits: Tensor = network(batch.to(device))
        check_finite(logits)
        return logits


def check_finite(logits: Tensor) -> None:
    """Raises NonFiniteOutput naming the first picture whose logits, [N,C], hold NaN or an infinity."""
    finite = torch.isfinite(logits)
    if bool(finite.all()):
        return
    first = int((~finite.all(dim=1)).nonzero()[0].item())
    raise NonFiniteOutput(f"the logits of picture {first + 1} of {len(logits)} are not finite")


def output(classes: int) -> Callable[[Tensor], Output]:
    """What makes an ``Output`` of logits and embedding in one, [N,C+D], with C ``classes``.

    Method: the tutorial's lines, ``softmax(out, dim=1)`` and ``torch.sort(out, descending=True)``, so that
    bits and the order of ties are its own.
    """

    def of(both: Tensor) -> Output:
        with torch.inference_mode():
            logits = both[:, :classes].contiguous()
            _, indices = torch.sort(logits, descending=True)
            return Output(
                logits,
                both[:, classes:].contiguous(),
                indices,
                torch.nn.functional.softmax(logits, dim=1),
                torch.sigmoid(logits),
            )

    return of


def ranking(output: Output, activation: str, top_k: int) -> Ranking:
    """The ``top_k`` best classes (0 = all) by ``activation``, of an output on the CPU.

    Either keeps the order of the logits. Percentages are the tutorial's ``softmax(out, dim=1) * 100``.
    """
    probabilities = output.softmax if activation == "softmax" else output.sigmoid
    indices = output.indices[:, : top_k or None].contiguous()
    return Ranking(
        indices, probabilities.gather(1, indices), (probabilities * 100).gather(1, indices), probabilities
    )
