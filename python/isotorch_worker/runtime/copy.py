"""Batches to the device and answers back; on a GPU copied beside the computation, from pinned memory."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol

import torch
from torch import Tensor

from isotorch_worker.pictures.spec import Sides
from isotorch_worker.pictures.transforms import tensor_from_pixels


class Queue(Protocol):
    """How a device takes its work."""

    depth: int
    """Batches worth having under way: with two, one is prepared and copied while the other is computed."""
    pinned: bool

    def copying(self) -> AbstractContextManager[object]:
        """What is done inside may overlap with the computation of earlier batches."""
        ...

    def join(self, tensor: Tensor) -> None:
        """The computation that follows waits for ``tensor``, made while copying."""
        ...

    def mark(self) -> Callable[[], float]:
        """A function that waits until all work given so far is done, and says when (time.perf_counter)."""
        ...

    def release(self) -> None:
        """Give memory that is held for later back to the device."""
        ...


class Immediate:
    """A CPU: every call is done when it returns."""

    depth = 1
    pinned = False

    def copying(self) -> AbstractContextManager[object]:
        return nullcontext()

    def join(self, tensor: Tensor) -> None:
        pass

    def mark(self) -> Callable[[], float]:
        now = time.perf_counter()
        return lambda: now

    def release(self) -> None:
        pass


class CudaQueue:
    """A CUDA device: copies on a stream of their own."""

    depth = 2
    pinned = True

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._copies: Any = torch.cuda.Stream(device)

    def copying(self) -> AbstractContextManager[object]:
        return torch.cuda.stream(self._copies)

    def join(self, tensor: Tensor) -> None:
        current = torch.cuda.current_stream(self._device)
        current.wait_stream(self._copies)
        # Its memory must not be used anew while the computation still reads it.
        tensor.record_stream(current)

    def mark(self) -> Callable[[], float]:
        event = torch.cuda.Event()
        event.record(torch.cuda.current_stream(self._device))

        def wait() -> float:
            event.synchronize()
            return time.perf_counter()

        return wait

    def release(self) -> None:
        torch.cuda.empty_cache()


class Transfer:
    """Rows [1,…] as they came to one float32 batch [k,3,H,W] on the device, and results to the CPU."""

    def __init__(self, device: torch.device, spec: Mapping[str, Any], queue: Queue | None = None) -> None:
        self.device = device
        self.queue = queue or (CudaQueue(device) if device.type == "cuda" else Immediate())
        self.crop: Sides = spec["crop"]
        self._spec = spec
        self._table = normal_table(spec).to(device)
        self._offsets = torch.tensor([0, 256, 512], device=device)

    def to_device(self, rows: Sequence[Tensor]) -> Tensor:
        """One batch of ``rows``, float32 [1,3,H,W] or uint8 [1,H,W,3], all alike."""
        batch = self._gather(rows)
        if self.device.type != "cpu" or self.queue.pinned:
            with self.queue.copying():
                batch = batch.to(self.device, non_blocking=True)
            self.queue.join(batch)
        return self._normalised(batch) if batch.dtype == torch.uint8 else batch

    def to_host(self, tensors: Sequence[Tensor]) -> Callable[[], tuple[list[Tensor], float]]:
        """Start to copy; the function returned waits, and gives the copies and when they were there."""
        copies = [tensor.to("cpu", non_blocking=True) for tensor in tensors]
        done = self.queue.mark()

        def fetch() -> tuple[list[Tensor], float]:
            then = done()
            return copies, then

        return fetch

    def _gather(self, rows: Sequence[Tensor]) -> Tensor:
        if not self.queue.pinned:
            return rows[0] if len(rows) == 1 else torch.cat(list(rows))
        shape = (len(rows), *rows[0].shape[1:])
        # The allocator of pinned memory keeps a block until the copies from it are done.
        pinned = torch.empty(shape, dtype=rows[0].dtype, pin_memory=self.device.type == "cuda")
        return torch.cat(list(rows), out=pinned)

    def _normalised(self, pixels: Tensor) -> Tensor:
        if self.device.type == "cpu" and not self.queue.pinned:
            return tensor_from_pixels(pixels, self._spec)
        index = pixels.to(torch.int64).add_(self._offsets)
        return torch.take(self._table, index).permute(0, 3, 1, 2).contiguous()


def normal_table(spec: Mapping[str, Any]) -> Tensor:
    """float32 [768]: the normalised value of each of 256 pixel values, channel after channel.

    On a GPU PyTorch divides by a number by multiplying with its reciprocal, which gives other bits; looking
    values up gives the CPU's.
    """
    ramp = torch.arange(256, dtype=torch.uint8).reshape(1, 256, 1, 1).expand(1, 256, 1, 3)
    return tensor_from_pixels(ramp, spec).reshape(-1)
