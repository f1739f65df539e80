"""How quickly PyTorch multiplies matrices here, which is its BLAS library's work, and whether it is right."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from isotorch_worker.environment.libraries import math_libraries

if TYPE_CHECKING:
    from torch import Tensor

# Small, because the reference BLAS takes seconds for what the others do in milliseconds; no smaller, because
# it keeps up with them as long as everything is in the processor's cache.
_SIZE = 256
# The first one also waits for the library's threads to start.
_TIMES = 3
_CHECKED_ROWS = 8
_TOLERANCE = 1e-3


def time_product(times: int = _TIMES) -> dict[str, Any]:
    """Multiply two square matrices of float32 with PyTorch's own number of threads: the best of ``times``.

    Returns ``{"size", "milliseconds", "gflops"}``; gflops are 1e9 multiplications and additions a second.
    Imports torch.
    """
    import torch

    left, right = _matrices()
    seconds = min(_timed(lambda: torch.mm(left, right)) for _ in range(times))
    gflops = 2 * _SIZE**3 / seconds / 1e9
    return {"size": _SIZE, "milliseconds": round(1000 * seconds, 3), "gflops": round(gflops, 3)}


def judge_blas() -> dict[str, Any]:
    """What ``time_product`` says, with the library as ``blas``, and whether a product ``isRight``.

    Method: some rows are compared with sums in float64 that no BLAS makes. A library that takes a processor
    for another one can be quick and wrong. Imports torch.
    """
    import torch

    left, right = _matrices()
    found = torch.mm(left, right)[:_CHECKED_ROWS].double()
    rows = [(row[:, None] * right.double()).sum(0) for row in left[:_CHECKED_ROWS].double()]
    # NaN is not below it either.
    is_right = bool((found - torch.stack(rows)).abs().max() < _TOLERANCE)
    library = math_libraries(torch.__config__.show())["blas"]
    return {"blas": library, "isRight": is_right, **time_product()}


def _matrices() -> tuple[Tensor, Tensor]:
    import torch

    left, right = torch.randn(2, _SIZE, _SIZE, generator=torch.Generator().manual_seed(0))
    return left, right


def _timed(compute: Callable[[], object]) -> float:
    started = time.perf_counter()
    compute()
    return time.perf_counter() - started
