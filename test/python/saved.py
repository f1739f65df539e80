"""A small network, and how it is saved and read: shared by the tests of checkpoints."""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from isotorch_worker.checkpoints.candidates import Candidate, choose
from isotorch_worker.checkpoints.prefixes import fitting, without_prefix
from isotorch_worker.checkpoints.reader import read_contents


def network(seed: int = 3) -> nn.Module:
    """Of every kind of parameter and buffer that a checkpoint fills."""
    torch.manual_seed(seed)
    made = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4, 5))
    with torch.no_grad():
        made(torch.randn(2, 3, 1, 1))
    return made.eval()


def saved(value: object, **options: object) -> bytearray:
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.save(value, buffer, **options)
    return bytearray(buffer.getvalue())


def chosen(data: bytes | bytearray, key: str | None = None) -> tuple[str, Candidate, dict[str, Tensor]]:
    """As a caller goes from the bytes of a file to ``network()``'s state: prefix, candidate, tensors."""
    contents = read_contents(memoryview(bytearray(data)))
    wanted = {name: tuple(value.shape) for name, value in network().state_dict().items()}
    prefix, candidate = without_prefix(choose(contents.value, key), fitting(wanted))
    return prefix, candidate, dict(contents.state_dict(candidate))


def same(found: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> bool:
    """Whether names, their order, types, layouts and bits are equal."""
    return list(found) == list(expected) and all(
        (value.dtype, value.stride()) == (found[name].dtype, found[name].stride())
        and torch.equal(found[name], value.detach())
        for name, value in expected.items()
    )
