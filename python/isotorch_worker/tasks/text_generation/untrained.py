"""A checkpoint made offline: weights as GPT-2 begins its training with, the same bytes everywhere.

They mean nothing. Nothing of torch is used, so that no version of it changes them: the numbers are sums of
the bits of NumPy's PCG64, whose stream NumPy keeps, and rounded once.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isotorch_worker.checkpoints.made import ensure, make
from isotorch_worker.tasks.text_generation.config import Config

_DEVIATION = 0.02
# Of the sum of four numbers of 16 bits, which is close to a normal distribution.
_MEAN = 2 * (2**16 - 1)
_SUM_DEVIATION = math.sqrt((2**32 - 1) / 3)
_AT_ONCE = 1 << 20


def make_untrained(path: Path, seed: int, config: Config) -> str:
    """Make the safetensors file of ``seed`` at ``path``, with ``path + ".sha256"`` beside it; returns the
    SHA-256. Raises as ``make``."""
    return make(path, lambda: untrained_bytes(seed, config))


def ensure_untrained(path: Path, seed: int, config: Config) -> str:
    """The SHA-256 of the made checkpoint at ``path``, made if it is not there. Raises as ``ensure``."""
    return ensure(path, lambda: untrained_bytes(seed, config))


def untrained_bytes(seed: int, config: Config) -> Iterator[bytes]:
    """The file, part by part. Its metadata say that nobody trained it.

    Method: GPT-2's own initialisation. Weights have a deviation of 0.02, those that end a branch one that is
    smaller by the root of the number of branches; biases are 0, norms 1.
    """
    shapes = config.shapes()
    yield _header(shapes, {"format": "pt", "isotorch": f"untrained:{seed}"})
    for name, shape in shapes.items():
        count = math.prod(shape)
        if name.endswith(".bias"):
            yield bytes(4 * count)
        elif ".ln_" in name or name.startswith("ln_"):
            yield np.ones(count, "<f4").tobytes()
        else:
            deviation = _DEVIATION
            if name.endswith(".c_proj.weight"):
                deviation /= math.sqrt(2 * config.layers)
            bits = np.random.RandomState(np.random.PCG64([seed, *name.encode("ascii")]))
            yield from _normal(bits, count, deviation)


def _normal(bits: np.random.RandomState, count: int, deviation: float) -> Iterator[bytes]:
    for begin in range(0, count, _AT_ONCE):
        # PCG64's own numbers; random_raw, which gives them as well, is six times as slow.
        words: NDArray[Any] = bits.randint(0, 2**64, min(_AT_ONCE, count - begin), np.uint64)
        quarters = words.astype("<u8", copy=False).view("<u2").reshape(-1, 4)
        total = quarters[:, 0].astype(np.int32)
        for column in range(1, 4):
            total += quarters[:, column]
        yield ((total - _MEAN) * (deviation / _SUM_DEVIATION)).astype("<f4").tobytes()


def _header(shapes: dict[str, tuple[int, ...]], metadata: dict[str, str]) -> bytes:
    about: dict[str, Any] = {"__metadata__": metadata}
    end = 0
    for name, shape in shapes.items():
        begin, end = end, end + 4 * math.prod(shape)
        about[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [begin, end]}
    text = json.dumps(about, separators=(",", ":")).encode("ascii")
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text
