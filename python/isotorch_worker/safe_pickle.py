"""A pickle module for torch.load that builds tensors and nothing else.

For PyTorch 1.12, which has no ``weights_only``: whatever name a pickle asks for that is not in the list below
is refused before it is looked up, so that no code of the file's choosing runs.
"""

from __future__ import annotations

import pickle
from collections import OrderedDict
from typing import IO, Any

import torch

PickleError = pickle.PickleError
UnpicklingError = pickle.UnpicklingError

_STORAGES = (
    "BFloat16Storage",
    "BoolStorage",
    "ByteStorage",
    "CharStorage",
    "DoubleStorage",
    "FloatStorage",
    "HalfStorage",
    "IntStorage",
    "LongStorage",
    "ShortStorage",
)
_ALLOWED: dict[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): OrderedDict,
    ("torch", "Size"): torch.Size,
    ("torch._utils", "_rebuild_tensor"): torch._utils._rebuild_tensor,  # pyright: ignore[reportPrivateUsage]
    ("torch._utils", "_rebuild_tensor_v2"): torch._utils._rebuild_tensor_v2,  # pyright: ignore[reportPrivateUsage]
    ("torch._utils", "_rebuild_parameter"): torch._utils._rebuild_parameter,  # pyright: ignore[reportPrivateUsage]
    **{("torch", name): getattr(torch, name) for name in _STORAGES},
}


class Unpickler(pickle.Unpickler):
    """pickle.Unpickler with an allow-list in place of imports."""

    def find_class(self, module_name: str, global_name: str, /) -> Any:
        """The listed object. Raises UnpicklingError for every other name."""
        try:
            return _ALLOWED[(module_name, global_name)]
        except KeyError:
            raise UnpicklingError(f"the pickle asks for {module_name}.{global_name}") from None


def load(file: IO[bytes], **options: Any) -> Any:
    """As pickle.load, through the Unpickler above."""
    return Unpickler(file, **options).load()
