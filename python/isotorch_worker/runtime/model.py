"""torchvision's network with a checkpoint's weights, and what belongs to them: input spec, categories.

Everything that differs between torch 1.12 and 2.x, or torchvision 0.13 and later, is in this file.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import torch
import torchvision.models
from torch import Tensor, nn

from isotorch_worker.base.told import brief
from isotorch_worker.checkpoints.checkpoint import read_checkpoint
from isotorch_worker.protocol.errors import CheckpointCorrupt, CheckpointMismatch, InvalidOption

WEIGHTS = {"resnet101": "ResNet101_Weights"}
_COUNTER = ".num_batches_tracked"
_VARIANCE = ".running_var"
_FLOATS = {torch.float16, torch.bfloat16, torch.float32, torch.float64}
_INTEGERS = {torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64}
_NAMED_KEYS = 3
# Of torch.nn.init, as modules call them.
_RANDOM = (
    "kaiming_normal_",
    "kaiming_uniform_",
    "normal_",
    "orthogonal_",
    "sparse_",
    "trunc_normal_",
    "uniform_",
    "xavier_normal_",
    "xavier_uniform_",
)


def build(name: str = "resnet101") -> nn.Module:
    """torchvision's network in evaluation mode, its parameters uninitialised: they must all be loaded.

    Method: torchvision's own constructor, with the random initialisation (0.45 s that loading overwrites)
    switched off while it runs. Raises InvalidOption for a name that is not offered.
    """
    _check_name(name)
    with _no_initialisation():
        network: nn.Module = getattr(torchvision.models, name)(weights=None)
    return network.eval()


def load_checkpoint(path: Path, sha256: str | None, trust: bool, name: str = "resnet101") -> nn.Module:
    """``build`` and fill from the file at ``path``: verified, read without running its code, complete.

    Raises what ``read_checkpoint``, ``Contents.state_dict`` and ``load_state`` raise. Never returns random
    weights.
    """
    contents, _ = read_checkpoint(path, sha256, trust)
    network = build(name)
    load_state(network, contents.state_dict())
    return network


def load_state(network: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Copy ``state`` into ``network``'s own parameters and buffers, after every key, shape and type is seen.

    Method: ``load_state_dict``, which keeps the network's dtypes and memory layout whatever the file's are.
    What is finite is seen afterwards, in the network: float64 values may be beyond float32.
    BatchNorm's ``num_batches_tracked`` may be absent, as in files from before PyTorch 0.4.1.
    Raises CheckpointMismatch naming the first keys concerned, or CheckpointCorrupt for NaN, infinities and
    negative variances. The network is of no use then.
    """
    wanted = network.state_dict()
    _check_names(wanted, state)
    _check_types(wanted, state)
    try:
        # Not strict: what may be absent was seen above, and only that.
        network.load_state_dict(cast("Any", state), strict=False)
    except RuntimeError as error:
        raise CheckpointMismatch(f"the checkpoint cannot be loaded: {brief(error)}") from None
    check_values(network, state)


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


def transforms_spec(weights_name: str, name: str = "resnet101") -> dict[str, Any]:
    """The preprocessing of torchvision's weights object, in pixels and in units of 0..1.

    Returns ``{"resize", "crop", "mean": [3], "std": [3], "interpolation"}``.
    Raises InvalidOption for weights that torchvision does not know.
    """
    preset: Any = _weights(name, weights_name).transforms()
    return {
        "resize": int(preset.resize_size[0]),
        "crop": int(preset.crop_size[0]),
        "mean": [float(value) for value in preset.mean],
        "std": [float(value) for value in preset.std],
        "interpolation": str(preset.interpolation.value),
    }


def categories(weights_name: str, name: str = "resnet101") -> list[str]:
    """The 1,000 class names of torchvision's weights object. Raises InvalidOption as ``transforms_spec``."""
    return [str(category) for category in _weights(name, weights_name).meta["categories"]]


def model_names() -> list[str]:
    """``dir(torchvision.models)``, as the tutorial prints it."""
    return dir(torchvision.models)


def _weights(name: str, weights_name: str) -> Any:
    _check_name(name)
    known: dict[str, Any] = getattr(torchvision.models, WEIGHTS[name]).__members__
    # DEFAULT is an alias that changes its meaning with the version.
    if weights_name not in known or weights_name == "DEFAULT":
        names = ", ".join(key for key in known if key != "DEFAULT")
        raise InvalidOption(f"transforms: expected one of {names}, received {weights_name}")
    return known[weights_name]


def _check_name(name: str) -> None:
    if name not in WEIGHTS:
        raise InvalidOption(f"model: expected one of {', '.join(WEIGHTS)}, received {name}")


@contextmanager
def _no_initialisation() -> Generator[None, None, None]:
    """Leave out what draws random numbers; constants are set, some of which no checkpoint overwrites."""

    def keep(tensor: Tensor, *_: Any, **__: Any) -> Tensor:
        return tensor

    originals = {name: getattr(nn.init, name) for name in _RANDOM if hasattr(nn.init, name)}
    for name in originals:
        setattr(nn.init, name, keep)
    try:
        yield
    finally:
        for name, original in originals.items():
            setattr(nn.init, name, original)


def _some(what: str, names: list[str]) -> str:
    more = f" and {len(names) - _NAMED_KEYS} more" if len(names) > _NAMED_KEYS else ""
    return f"{what}: {', '.join(map(brief, names[:_NAMED_KEYS]))}{more}"
