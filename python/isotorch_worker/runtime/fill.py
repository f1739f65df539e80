"""A network's parameters and buffers from a state dict: all of them, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from isotorch_worker.base.told import brief
from isotorch_worker.checkpoints.networks import current
from isotorch_worker.protocol.errors import CheckpointCorrupt, CheckpointMismatch

_COUNTER = ".num_batches_tracked"
_VARIANCE = ".running_var"
_FLOATS = {torch.float16, torch.bfloat16, torch.float32, torch.float64}
_INTEGERS = {torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64}
_NAMED_KEYS = 3


def load_state(network: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Copy ``state`` into ``network``'s own parameters and buffers, after every key, shape and type is seen.

    Names may be those of an older or a newer torchvision. Method: the network's own state dict, which carries
    the versions of its modules, with the file's tensors in place of its own, by ``load_state_dict``; this
    keeps the network's dtypes and memory layout whatever the file's are. What is finite is seen afterwards,
    in the network: float64 values may be beyond float32. BatchNorm's ``num_batches_tracked`` may be absent,
    as in files from before PyTorch 0.4.1.
    Raises CheckpointMismatch naming the first keys concerned, or CheckpointCorrupt for NaN, infinities and
    negative variances. The network is of no use then.
    """
    wanted = network.state_dict()
    own = {current(name): name for name in wanted}
    given = {own.get(current(str(name)), name): value for name, value in state.items()}
    if len(given) < len(state):
        raise CheckpointMismatch("the checkpoint has the same tensor twice, by an older and a newer name")
    _check_names(wanted, given)
    _check_types(wanted, given)
    wanted.update(given)
    try:
        network.load_state_dict(wanted)
    except (RuntimeError, ValueError) as error:
        raise CheckpointMismatch(f"the checkpoint cannot be loaded: {brief(error)}") from None
    check_values(network, given)


def check_values(network: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Raises CheckpointCorrupt for the first value of ``network`` that is not finite, or is no variance."""
    for key, value in network.state_dict().items():
        if value.is_floating_point() and not _all_finite(value):
            if key in state and _all_finite(state[key]):
                raise CheckpointCorrupt(f"the checkpoint has values in {brief(key)} that are beyond float32")
            raise CheckpointCorrupt(f"the checkpoint has NaN or infinite values in {brief(key)}")
        if key.endswith(_VARIANCE) and bool((value < 0).any()):
            raise CheckpointCorrupt(f"the checkpoint has negative variances in {brief(key)}")


def _check_names(wanted: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> None:
    if not all(isinstance(key, str) and isinstance(value, Tensor) for key, value in state.items()):
        raise CheckpointMismatch("the checkpoint is not a state dict (names to tensors)")
    missing = [key for key in wanted if key not in state and not key.endswith(_COUNTER)]
    unexpected = [key for key in state if key not in wanted]
    shapes = [
        f"{key} {list(state[key].shape)} instead of {list(wanted[key].shape)}"
        for key in wanted
        if key in state and state[key].shape != wanted[key].shape
    ]
    found = [("missing", missing), ("unexpected", unexpected), ("wrong shape", shapes)]
    if any(names for _, names in found):
        raise CheckpointMismatch(
            "the checkpoint belongs to another network: "
            + "; ".join(_some(what, names) for what, names in found if names)
        )


def _check_types(wanted: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> None:
    """Only plain floating-point values become parameters: integers are those of a quantised network."""
    for key, value in state.items():
        dense = value.layout is torch.strided and value.device.type != "meta"
        numbers = _FLOATS if wanted[key].is_floating_point() else _FLOATS | _INTEGERS
        if not dense or value.dtype not in numbers:
            kind = str(value.dtype) if dense else f"{value.layout} on {value.device.type}"
            raise CheckpointMismatch(f"the checkpoint has {kind} in {brief(key)}, expected plain numbers")
        # NaN and infinities have no integer.
        if value.is_floating_point() and not wanted[key].is_floating_point() and not _all_finite(value):
            raise CheckpointCorrupt(f"the checkpoint has NaN or infinite values in {brief(key)}")


def _all_finite(value: Tensor) -> bool:
    # A finite sum has finite terms; only where it is not (it may also overflow) each value is looked at.
    return bool(torch.isfinite(value.sum())) or bool(torch.isfinite(value).all())


def _some(what: str, names: list[str]) -> str:
    more = f" and {len(names) - _NAMED_KEYS} more" if len(names) > _NAMED_KEYS else ""
    return f"{what}: {', '.join(map(brief, names[:_NAMED_KEYS]))}{more}"
