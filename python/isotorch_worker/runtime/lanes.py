"""Pictures side by side on a CPU, each by its share of the threads."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor, wait

import torch
from torch import Tensor, nn


class Lanes:
    """Computes a batch as its pictures alone, several at a time.

    Threads that compute one picture together meet after every layer, a hundred times in a pass, and all wait
    for the one that was disturbed; two pictures on a thread each never meet. PyTorch's number of threads
    belongs to the thread that sets it, so that lanes leave the others alone.
    """

    def __init__(self, network: nn.Module, threads: int, most: int) -> None:
        self._network = network
        self._threads = threads
        self._own = threading.local()
        self._pool = ThreadPoolExecutor(min(threads, most), "lane")

    def __call__(self, batch: Tensor) -> Tensor:
        """The logits of ``batch``, in its order. Raises what the network raised, once all are done."""
        share = max(1, self._threads // len(batch))
        started = [self._pool.submit(self._alone, row, share) for row in batch.split(1)]
        wait(started)
        return torch.cat([one.result() for one in started])

    def _alone(self, row: Tensor, share: int) -> Tensor:
        if getattr(self._own, "share", None) != share:
            torch.set_num_threads(share)
            self._own.share = share
        with torch.inference_mode():
            logits: Tensor = self._network(row)
        return logits
