"""A checkpoint's state dict by plain torch, for the scripts that isotorch is compared with.

Nothing of a file runs. torch's own ``weights_only`` reader comes first, and safetensors are read here by the
format's description. What torch does not read so (1.13's refuses a training state with numbers in it, every
version a network that was saved whole, and 1.12 has no such reader) is read by isotorch's: that alone both
sides then share, and ``Loaded.by`` says it.
"""

from __future__ import annotations

import inspect
import io
import json
import sys
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

PLAIN = "torch.load(weights_only=True)"
SAFETENSORS = "safetensors, by the format's description"
SHARED = "isotorch's reader, as torch does not read it without running its code"

DTYPES = {
    "BF16": torch.bfloat16,
    "BOOL": torch.bool,
    "F16": torch.float16,
    "F32": torch.float32,
    "F64": torch.float64,
    "I16": torch.int16,
    "I32": torch.int32,
    "I64": torch.int64,
    "I8": torch.int8,
    "U8": torch.uint8,
}
# What torch.optim.swa_utils.AveragedModel counts beside its network.
AVERAGED = "n_averaged"


class Refusal(Exception):
    """A start that cannot succeed, with isotorch's code for it."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Loaded(NamedTuple):
    """A state dict on the CPU, and what read it."""

    state: dict[str, Tensor]
    by: str


def load(data: bytes, key: str = "", prefix: str = "") -> Loaded:
    """The state dict in a file's bytes: at ``key`` (``state_dict``, ``checkpoint.model``; empty for the whole
    file), its names without ``prefix``. Raises Refusal.
    """
    if data[6:9] == b"\0\0{":
        return Loaded(_tensors(_safetensors(data), prefix), SAFETENSORS)
    if "weights_only" in inspect.signature(torch.load).parameters:
        try:
            value = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
        except Exception:  # damaged bytes, too, surface as any of a dozen types; the other reader tells them
            return Loaded(_tensors(_shared(data, key), prefix), SHARED)
        return Loaded(_tensors(_at(value, key), prefix), PLAIN)
    return Loaded(_tensors(_shared(data, key), prefix), SHARED)


def _at(value: Any, key: str) -> Any:
    """What is at ``key``, whose steps have dots between them and may have some in them; None for nothing."""
    if key == "":
        return value
    for step, inner in value.items() if isinstance(value, dict) else ():
        if isinstance(step, str) and f"{key}.".startswith(f"{step}."):
            found = _at(inner, key[len(step) + 1 :])
            if found is not None:
                return found
    return None


def _tensors(state: Any, prefix: str) -> dict[str, Tensor]:
    if not isinstance(state, dict):
        raise Refusal("CHECKPOINT_MISMATCH", "the checkpoint has no state dict there")
    named = {str(name): value for name, value in state.items() if isinstance(value, Tensor)}
    if prefix:
        named.pop(AVERAGED, None)
    if not all(name.startswith(prefix) for name in named):
        raise Refusal("CHECKPOINT_MISMATCH", f"not every name in the checkpoint begins with {prefix}")
    return {name[len(prefix) :]: value for name, value in named.items()}


def _safetensors(data: bytes) -> dict[str, Tensor]:
    """Little-endian, as every machine that runs PyTorch is: the header's length, the header, the values."""
    try:
        start = 8 + int.from_bytes(data[:8], "little")
        header = json.loads(data[8:start])
        header.pop("__metadata__", None)
        state = {}
        for name, about in header.items():
            begin, end = about["data_offsets"]
            # A copy, which torch may write to.
            values = bytearray(data[start + begin : start + end])
            dtype = DTYPES[about["dtype"]]
            flat = torch.frombuffer(values, dtype=dtype) if values else torch.empty(0, dtype=dtype)
            state[name] = flat.reshape(about["shape"])
    except Exception as error:
        raise Refusal("CHECKPOINT_CORRUPT", f"the checkpoint is damaged: {first_line(error)}") from None
    return state


def _shared(data: bytes, key: str) -> dict[str, Tensor]:
    # A script that runs by its path with -I has no directory of its own.
    sys.path.insert(0, str(Path(__file__).resolve().parent))
    from isotorch_worker.checkpoints.candidates import choose
    from isotorch_worker.checkpoints.reader import read_contents
    from isotorch_worker.protocol.errors import WorkerError

    try:
        contents = read_contents(memoryview(bytearray(data)))
        return contents.state_dict(choose(contents.value, key or None))
    except WorkerError as error:
        raise Refusal(error.code, error.message) from None


def first_line(error: Exception) -> str:
    """What an error says, in at most 200 characters."""
    return f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"[:200]
