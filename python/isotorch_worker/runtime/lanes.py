"""Pictures side by side on a CPU, each by its share of the threads, and whether that keeps every bit.

Of a function of single values, such as SiLU, PyTorch computes most values by vectors and some singly: those
at the end of what each thread has. The two ways differ in the last bit for a few inputs in a hundred. So
pictures can have the same bits together as alone, and the next one not: only the positions tell.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait

import torch
from torch import Tensor, nn

Through = Callable[[nn.Module, "list[Tensor]"], "list[Tensor]"]

_FUNCTIONS = (nn.CELU, nn.ELU, nn.GELU, nn.Mish, nn.SELU, nn.SiLU, nn.Sigmoid, nn.Softplus, nn.Tanh)
_SAMPLES = 1 << 16
_SPREAD = 3.0
_MOST_VALUES = 3


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
        return torch.cat(self.each(self._network, list(batch.split(1))))

    def each(self, module: nn.Module, rows: list[Tensor]) -> list[Tensor]:
        """What ``module`` makes of each of ``rows``, as many at a time as in a batch of so many."""
        share = max(1, self._threads // len(rows))
        started = [self._pool.submit(self._alone, module, row, share) for row in rows]
        wait(started)
        return [one.result() for one in started]

    def _alone(self, module: nn.Module, row: Tensor, share: int) -> Tensor:
        if getattr(self._own, "share", None) != share:
            torch.set_num_threads(share)
            self._own.share = share
        with torch.inference_mode():
            made: Tensor = module(row)
        return made


def other_positions(network: nn.Module, row: Tensor, count: int, through: Through) -> str | None:
    """The first layer that computes other values singly for ``count`` pictures together than for one alone.

    ``row`` is one picture [1,…], with which the network is run once; ``through`` gives what a layer makes of
    each of several inputs, together. Method: each layer gets inputs that have one value everywhere, of which
    the two ways make different bits, so that the result shows the positions. None where all are the same.
    """
    given: dict[tuple[str, torch.Size, tuple[int, ...]], tuple[str, nn.Module]] = {}
    functions = [(name, module) for name, module in network.named_modules() if isinstance(module, _FUNCTIONS)]
    if not functions:
        return None
    hooks = [
        module.register_forward_pre_hook(
            lambda module, inputs, name=name: given.setdefault(
                (str(module), inputs[0].shape, inputs[0].stride()), (name, module)
            )
            and None
        )
        for name, module in functions
    ]
    try:
        network(row)
    finally:
        for hook in hooks:
            hook.remove()
    values: dict[str, list[float]] = {}
    for (kind, shape, stride), (name, module) in given.items():
        if kind not in values:
            values[kind] = telling(module)
        for value in values[kind]:
            # Some of these layers write into what they are given.
            inputs = [torch.empty_strided(shape, stride).fill_(value) for _ in range(count + 1)]
            alone = module(inputs.pop())
            if not all(torch.equal(one, alone) for one in through(module, inputs)):
                return f"{name} ({kind})"
    return None


def telling(function: nn.Module) -> list[float]:
    """A few inputs of which ``function`` makes other bits singly than by vectors; none where there are none.

    Method: values that do not lie side by side in memory are computed singly.
    """
    noise = _SPREAD * torch.randn(2 * _SAMPLES, generator=torch.Generator().manual_seed(0))
    apart = noise[::2]
    differing = apart[function(apart.contiguous()) != function(noise.clone()[::2])]
    return differing[:_MOST_VALUES].tolist()


def batched(module: nn.Module, rows: list[Tensor]) -> list[Tensor]:
    """What ``module`` makes of ``rows`` in one batch."""
    return list(module(torch.cat(rows)).split(rows[0].shape[0]))
