"""How quickly PyTorch multiplies matrices here, which is its BLAS library's work."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

# Small, because the reference BLAS takes seconds for what the others do in milliseconds.
_SIZE = 256
_TIMES = 3


def time_product() -> dict[str, Any]:
    """Multiply two square matrices of float32 with PyTorch's own number of threads: the best of three.

    Returns ``{"size", "milliseconds", "gflops"}``; gflops are 1e9 multiplications and additions a second.
    Imports torch.
    """
    import torch

    generator = torch.Generator().manual_seed(0)
    left, right = torch.randn(2, _SIZE, _SIZE, generator=generator)
    seconds = min(_timed(lambda: torch.mm(left, right)) for _ in range(_TIMES))
    gflops = 2 * _SIZE**3 / seconds / 1e9
    return {"size": _SIZE, "milliseconds": round(1000 * seconds, 3), "gflops": round(gflops, 3)}


def _timed(compute: Callable[[], object]) -> float:
    started = time.perf_counter()
    compute()
    return time.perf_counter() - started
