"""Which requests are computed together, and how many pictures at a time. Pure: no torch, no clock, no I/O."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field
from typing import TypeVar

Row = TypeVar("Row")


def belongs(following: int, before: int) -> bool:
    """Whether a request that announces ``following`` others is of the batch of one that announced ``before``.

    The numbers fall along a batch; some may be missing, as where a request was refused.
    """
    return following < before


def power_of_two(count: int) -> int:
    """The largest power of two that is at most ``count``, at least 1.

    Only such sizes are computed: few sizes to prove, to capture and to choose kernels for, and every count is
    a sum of them.
    """
    return 1 << max(count, 1).bit_length() - 1


def runs(rows: Iterable[tuple[Hashable, Row]]) -> list[list[Row]]:
    """The rows in their order, cut wherever the key (shape and dtype) changes: what can be stacked."""
    result: list[list[Row]] = []
    last: Hashable = None
    for key, row in rows:
        if not result or key != last:
            result.append([])
        result[-1].append(row)
        last = key
    return result


@dataclass
class MemoryLimit:
    """How many pictures fit: halved when they did not, raised by one step after many batches that did.

    ``most`` is never exceeded. After each relapse twice as many successes are asked for.
    """

    most: int
    patience: int = 32
    limit: int = field(init=False)
    _successes: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self.limit = self.most = power_of_two(self.most)

    def failed(self, size: int) -> None:
        """``size`` pictures did not fit."""
        half = max(size // 2, 1)
        if half < self.limit:
            self.patience *= 2
            self.limit = half
        self._successes = 0

    def succeeded(self, size: int) -> None:
        """``size`` pictures fitted; only batches at the limit say something about the next step."""
        if size < self.limit or self.limit == self.most:
            return
        self._successes += 1
        if self._successes >= self.patience:
            self._successes = 0
            self.limit *= 2
