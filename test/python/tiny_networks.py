"""Networks that add pixels up, and devices that they are computed on."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

from isotorch_worker.runtime.copy import Immediate


class Tiny(nn.Module):
    """Sums of pixels; ``sizes`` remembers how many pictures came together."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[int] = []

    def forward(self, batch: Tensor) -> Tensor:
        self.sizes.append(len(batch))
        return batch.flatten(1).sum(1, keepdim=True) * torch.linspace(-1, 1, 1000)


class OtherBits(Tiny):
    """What some builds do: together each picture gets other last bits than alone."""

    def forward(self, batch: Tensor) -> Tensor:
        return super().forward(batch) + (len(batch) > 1) * 1e-6


class SlowAlone(Tiny):
    """Batching wins: a call takes 50 ms, whatever is in it."""

    def forward(self, batch: Tensor) -> Tensor:
        time.sleep(0.05)
        return super().forward(batch)


class Clock(Immediate):
    """Time that passes only where a network says so, however busy the machine is."""

    def __init__(self) -> None:
        self.now = 0.0

    def mark(self):
        now = self.now
        return lambda: now


class Timed(Tiny):
    """A call for so many pictures takes so many seconds of its clock."""

    def __init__(self, seconds: Callable[[int], float]) -> None:
        super().__init__()
        self.seconds = seconds
        self.clock = Clock()

    def forward(self, batch: Tensor) -> Tensor:
        self.clock.now += self.seconds(len(batch))
        return super().forward(batch)


class Small(Tiny):
    """A device on which ``room`` pictures fit."""

    room = 2

    def forward(self, batch: Tensor) -> Tensor:
        if len(batch) > self.room:
            self.sizes.append(len(batch))
            raise RuntimeError("CUDA out of memory. Tried to allocate 20.00 MiB")
        return super().forward(batch)


class Async(Immediate):
    """A device that is done only when it is asked."""

    depth = 2
    pinned = True

    def __init__(self) -> None:
        self.joined = 0
        self.waited = 0
        self.released = 0

    def join(self, tensor: Tensor) -> None:
        self.joined += 1

    def mark(self):
        def wait() -> float:
            self.waited += 1
            return time.perf_counter()

        return wait

    def release(self) -> None:
        self.released += 1
