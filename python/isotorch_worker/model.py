"""torchvision's network with a checkpoint's weights, and what belongs to them: input spec, categories.

Everything that differs between torch 1.12 and 2.x, or torchvision 0.13 and later, is in this file.
"""

from __future__ import annotations

import importlib
import io
import pickle
import sys
import warnings
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import torch
import torchvision.models
from torch import Tensor, nn

from isotorch_worker import safe_pickle
from isotorch_worker.checkpoint import Record, as_file, is_archive, lend, read_checkpoint, records
from isotorch_worker.errors import CheckpointCorrupt, CheckpointMismatch, InvalidOption

WEIGHTS = {"resnet101": "ResNet101_Weights"}
_COUNTER = ".num_batches_tracked"
_NAMED_KEYS = 3
# Of torch's own allocator, and of the records of its archives.
_ALIGNMENT = 64


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
    """``build`` and fill from the file at ``path``: verified, unpickled without running its code, complete.

    Raises what ``read_checkpoint``, ``unpickle`` and ``load_state`` raise. Never returns random weights.
    """
    data, _ = read_checkpoint(path, sha256, trust)
    state = unpickle(data)
    network = build(name)
    load_state(network, state)
    return network


def unpickle(data: memoryview) -> Mapping[str, Tensor]:
    """The state dict in the bytes of a ``.pth`` file, on the CPU; its tensors are views of these bytes.

    No code of the file runs: ``weights_only`` where torch has it, an allow-list of names where it has not.
    Raises CheckpointCorrupt, or CheckpointMismatch if the file holds something else than a flat state dict.
    """
    try:
        with warnings.catch_warnings():
            # Old files hold storages of a type that newer versions call deprecated.
            warnings.simplefilter("ignore")
            state: Any = _in_place(data) if is_archive(data) else _copied(data)
    except pickle.UnpicklingError as error:
        raise CheckpointCorrupt(
            f"the checkpoint holds more than tensors: {_last_line(error)}",
            "save it again with torch.save(model.state_dict(), path)",
        ) from None
    except Exception as error:
        # Damaged bytes surface as any of a dozen exception types.
        raise CheckpointCorrupt(f"the checkpoint cannot be read: {type(error).__name__}: {error}") from None
    if not isinstance(state, Mapping) or not all(
        isinstance(key, str) and isinstance(value, Tensor)
        for key, value in cast("Mapping[Any, Any]", state).items()
    ):
        raise CheckpointMismatch(
            "the checkpoint is not a state dict (names to tensors)",
            "save it again with torch.save(model.state_dict(), path)",
        )
    return cast("Mapping[str, Tensor]", state)


def restricted_unpickler() -> Any:
    """The module with the ``Unpickler`` of torch.load's ``weights_only``, or with our allow-list on 1.12."""
    try:
        return importlib.import_module("torch._weights_only_unpickler")
    except ModuleNotFoundError:
        return safe_pickle


def _in_place(data: memoryview) -> Any:
    """As torch.load reads an archive, without its copy of the tensors: they lie there as in memory."""
    found = records(data)
    storages: dict[str, Any] = {}

    def persistent_load(identity: Any) -> Any:
        _, storage_type, key, _, count = identity
        if key not in storages:
            dtype = torch.uint8 if storage_type is _untyped_storage() else storage_type.dtype
            storages[key] = _storage(data, found[f"data/{key}"], dtype, count)
        return storages[key]

    def read(name: str) -> bytes:
        return bytes(data[found[name].offset : found[name].offset + found[name].size])

    if "byteorder" in found and read("byteorder") != sys.byteorder.encode("ascii"):
        return _copied(data)
    unpickler = restricted_unpickler().Unpickler(io.BytesIO(read("data.pkl")), encoding="utf-8")
    unpickler.persistent_load = persistent_load
    try:
        return unpickler.load()
    except RuntimeError as error:
        # So weights_only refuses a name, and torch.load turns it into this.
        raise pickle.UnpicklingError(str(error)) from None


def _storage(data: memoryview, record: Record, dtype: torch.dtype, count: int) -> Any:
    if count == 0:
        return torch.empty(0, dtype=dtype).storage()
    return torch.frombuffer(lend(data, record), dtype=dtype, count=count).storage()


def _untyped_storage() -> Any:
    return getattr(torch, "UntypedStorage", None) or getattr(torch, "_UntypedStorage", None)


def _copied(data: memoryview) -> Any:
    unpickler = restricted_unpickler()
    options: dict[str, Any] = (
        {"pickle_module": safe_pickle} if unpickler is safe_pickle else {"weights_only": True}
    )
    return torch.load(as_file(data), map_location="cpu", **options)


def load_state(network: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Make ``state`` the parameters of ``network``, uncopied: every key, every shape, every value finite.

    BatchNorm's ``num_batches_tracked`` may be absent, as in files from before PyTorch 0.4.1.
    Raises CheckpointMismatch naming the first keys concerned, or CheckpointCorrupt for NaN and infinities.
    """
    wanted = network.state_dict()
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
    for key, value in state.items():
        if value.is_floating_point() and not _all_finite(value):
            raise CheckpointCorrupt(f"the checkpoint has NaN or infinite values in {key}")
    for key, own in (*network.named_parameters(), *network.named_buffers()):
        if key in state:
            own.data = _as_own(state[key], own)


def _all_finite(value: Tensor) -> bool:
    # A finite sum has finite terms; only where it is not (it may also overflow) each value is looked at.
    return bool(torch.isfinite(value.sum())) or bool(torch.isfinite(value).all())


def _as_own(value: Tensor, own: Tensor) -> Tensor:
    """``value`` as the network would have made it: its dtype, contiguous, aligned as kernels expect it."""
    value = value.detach().to(own.dtype).contiguous()
    return value if value.data_ptr() % _ALIGNMENT == 0 else value.clone()


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
    def keep(tensor: Tensor, *_: Any, **__: Any) -> Tensor:
        return tensor

    # BatchNorm is left alone: its counter may be absent from a checkpoint and must then be zero.
    places = [
        (nn.modules.conv._ConvNd, "reset_parameters"),  # pyright: ignore[reportPrivateUsage]
        (nn.Linear, "reset_parameters"),
        (nn.init, "kaiming_normal_"),
    ]
    originals = [(place, attribute, getattr(place, attribute)) for place, attribute in places]
    for place, attribute in places:
        setattr(place, attribute, keep)
    try:
        yield
    finally:
        for place, attribute, original in originals:
            setattr(place, attribute, original)


def _some(what: str, names: list[str]) -> str:
    more = f" and {len(names) - _NAMED_KEYS} more" if len(names) > _NAMED_KEYS else ""
    return f"{what}: {', '.join(names[:_NAMED_KEYS])}{more}"


def _last_line(error: BaseException) -> str:
    return str(error).strip().rsplit("WeightsUnpickler error: ", 1)[-1].splitlines()[0]
