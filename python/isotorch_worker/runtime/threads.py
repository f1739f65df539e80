"""With how many threads PyTorch's CPU kernels compute, and why."""

from __future__ import annotations

import os
import re

import torch

from isotorch_worker.base.quota import available_cpus, cpu_quota

# Both are PyTorch's own; where both are set it takes the first.
VARIABLES = ("MKL_NUM_THREADS", "OMP_NUM_THREADS")
# One thread takes a convolution that is ten times slower.
_LEAST = 2


def set_threads(wanted: int) -> tuple[int, str]:
    """Choose the number of threads, unless the environment did; returns it with the reason, one clause.

    ``wanted`` counts first, then OMP_NUM_THREADS and MKL_NUM_THREADS exactly as in plain PyTorch, 1
    included. With 0 and without them it is PyTorch's own choice, or every CPU that this process may use
    where that is 1; never more than the cgroup's quota of CPU time, never fewer than 2.
    """
    if wanted == 0 and (variable := chosen_by()) is not None:
        return torch.get_num_threads(), variable
    threads, reason = (wanted, "asked for") if wanted else _automatic()
    torch.set_num_threads(threads)
    return torch.get_num_threads(), reason


def chosen_by() -> str | None:
    """The environment variable that PyTorch takes its number of threads from; None without one."""
    for name in VARIABLES:
        # As PyTorch reads it: a number above 0, whatever follows.
        match = re.match(r"\s*\+?(\d+)", os.environ.get(name, ""))
        if match is not None and int(match.group(1)) > 0:
            return name
    return None


def _automatic() -> tuple[int, str]:
    threads, reason = torch.get_num_threads(), "PyTorch's own choice"
    if threads == 1:
        threads, reason = available_cpus(), "available CPUs"
    quota = cpu_quota()
    if quota is not None and quota < threads:
        threads, reason = int(quota), f"cgroup quota of {quota:g} CPUs"
    return (threads, reason) if threads >= _LEAST else (_LEAST, f"{reason}, but never fewer than {_LEAST}")
