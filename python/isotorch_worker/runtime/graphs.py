"""CUDA graphs: the kernels of one batch size launched as one, which small batches are faster with."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Optional

import torch
from torch import Tensor, nn

from isotorch_worker.runtime.device import is_out_of_memory

_ROUNDS = 5

Replay = Callable[[Tensor], Tensor]
Capture = Callable[[nn.Module, Tensor], Optional[Replay]]


class Graphed(nn.Module):
    """A network that is captured at the first batch of each shape, and replayed where that wins."""

    def __init__(self, network: nn.Module, capture: Capture) -> None:
        super().__init__()
        self.network = network
        self._capture = capture
        self._replays: dict[torch.Size, Replay | None] = {}

    def forward(self, batch: Tensor) -> Tensor:
        if batch.shape not in self._replays:
            self._replays[batch.shape] = self._capture(self.network, batch)
        replay = self._replays[batch.shape]
        return self.network(batch) if replay is None else replay(batch)


class CudaCapture:
    """Captures on a CUDA device; ``log`` hears what each size gained."""

    def __init__(self, log: Callable[[str, str], None]) -> None:
        self._log = log
        # Graphs are replayed one after the other and their results copied at once: one pool serves all.
        self._pool: Any = torch.cuda.graph_pool_handle()

    def __call__(self, network: nn.Module, batch: Tensor) -> Replay | None:
        """None where capturing is impossible or slower. Raises when memory runs out."""
        try:
            replay = self._captured(network, batch)
        except RuntimeError as error:
            if is_out_of_memory(error):
                raise
            self._log("warning", f"no CUDA graph for {len(batch)} pictures: {str(error).splitlines()[0]}")
            return None
        eager, graph = _milliseconds(network, batch), _milliseconds(replay, batch)
        self._log("debug", f"{len(batch)} pictures: {graph:.2f} ms as a CUDA graph, {eager:.2f} ms without")
        return replay if graph < eager else None

    def _captured(self, network: nn.Module, batch: Tensor) -> Replay:
        current = torch.cuda.current_stream(batch.device)
        side: Any = torch.cuda.Stream(batch.device)
        side.wait_stream(current)
        # cuDNN and the allocator settle outside of the capture.
        with torch.cuda.stream(side):
            for _ in range(3):
                network(batch)
        current.wait_stream(side)
        given = batch.clone()
        graph: Any = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self._pool):
            result: Tensor = network(given)

        def replay(pictures: Tensor) -> Tensor:
            given.copy_(pictures)
            graph.replay()
            return result.clone()

        return replay


def _milliseconds(compute: Callable[[Tensor], Tensor], batch: Tensor) -> float:
    best = float("inf")
    for _ in range(_ROUNDS):
        torch.cuda.synchronize(batch.device)
        began = time.perf_counter()
        compute(batch)
        torch.cuda.synchronize(batch.device)
        best = min(best, (time.perf_counter() - began) * 1000)
    return best
