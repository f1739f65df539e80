"""An unpickler that makes descriptions of tensors and plain data: it imports nothing and runs no code."""

from __future__ import annotations

import io
import math
import pickle
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, cast

from isotorch_worker.base.told import brief
from isotorch_worker.checkpoints.pickle_guard import MOST_BYTES, check_pickle

# By the names of torch's storage classes, which are nothing else here: a dtype and the bytes of an item.
STORAGES = {
    "BFloat16Storage": ("bfloat16", 2),
    "BoolStorage": ("bool", 1),
    "ByteStorage": ("uint8", 1),
    "CharStorage": ("int8", 1),
    "DoubleStorage": ("float64", 8),
    "FloatStorage": ("float32", 4),
    "HalfStorage": ("float16", 2),
    "IntStorage": ("int32", 4),
    "LongStorage": ("int64", 8),
    "ShortStorage": ("int16", 2),
}
_MOST_DIMENSIONS = 16
_MOST_VALUES = 2**40
_NAMED = 100


# Named tuples, because a pickle can change what has a __dict__ (BUILD).
class Storage(NamedTuple):
    """The values of one or more tensors, by the key of their record."""

    kind: str
    key: str
    items: int


class Layout(NamedTuple):
    """A tensor that was not made yet: its place in a storage, in items."""

    storage: Storage
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]

    def end(self) -> int:
        """The items that its storage has at least: one past the last that the tensor reaches."""
        if not all(self.size):
            return self.offset
        return self.offset + 1 + sum((one - 1) * step for one, step in zip(self.size, self.stride))


class Names(OrderedDict[str, Any]):
    """A state dict. Of its state it keeps the versions of modules, by which ``load_state_dict`` reads it."""

    def __setstate__(self, state: object) -> None:
        metadata = cast("dict[str, Any]", state).get("_metadata") if isinstance(state, dict) else None
        if isinstance(metadata, Mapping):
            self._metadata = {
                name: {"version": _version(about)} for name, about in cast("dict[Any, Any]", metadata).items()
            }


class _Global:
    """Stands for a name in the pickle. Nothing that the pickle does with it changes this process."""

    __slots__ = ("call", "name")

    def __init__(self, name: str, call: Callable[..., Any] | None) -> None:
        self.name = name
        self.call = call

    def __call__(self, *arguments: Any) -> Any:
        if self.call is None:
            raise pickle.UnpicklingError(f"it calls {self.name}")
        return self.call(*arguments)

    def __setstate__(self, state: object) -> None:
        raise pickle.UnpicklingError(f"it changes {self.name}")


def unpickled(data: memoryview, storages: dict[str, Storage] | None = None) -> tuple[Any, int]:
    """The value of the pickle at the start of ``data``, and its length; ``storages`` gets those it refers to.

    Tensors are ``Layout``s, state dicts ``Names``. Raises UnpicklingError for anything that is neither data
    nor a tensor, ValueError for a tensor that cannot be, and whatever damaged bytes make of it.
    """
    program = bytes(data[:MOST_BYTES])
    length = check_pickle(program)
    return _Unpickler(program[:length], {} if storages is None else storages).load(), length


class _Unpickler(pickle.Unpickler):
    def __init__(self, program: bytes, storages: dict[str, Storage]) -> None:
        super().__init__(io.BytesIO(program), encoding="utf-8")
        self._storages = storages

    def find_class(self, module_name: str, global_name: str, /) -> _Global:
        try:
            return _Global(global_name, _GLOBALS[(module_name, global_name)])
        except KeyError:
            asked = brief(f"{module_name}.{global_name}", _NAMED)
            raise pickle.UnpicklingError(f"it asks for {asked}") from None

    def persistent_load(self, pid: Any, /) -> Storage:
        """The storage of ("storage", class, key, device, count), with None after it before torch 1.6."""
        fields: list[Any] = list(cast("tuple[Any, ...]", pid)) if isinstance(pid, tuple) else []
        if len(fields) not in (5, 6) or fields[0] != "storage" or fields[5:] not in ([], [None]):
            raise pickle.UnpicklingError("it refers to something else than storages")
        kind, key, _, count = fields[1:5]
        if not isinstance(kind, _Global) or kind.name not in STORAGES or not isinstance(key, str):
            raise pickle.UnpicklingError("it has a storage without a type")
        storage = Storage(kind.name, key, _count(count))
        if self._storages.setdefault(key, storage) != storage:
            raise ValueError("it says different things of one storage")
        return storage


def _names(items: object = ()) -> Names:
    # With items, as Python 2 pickled it.
    pairs = cast("list[Any]", items) if isinstance(items, list) else []
    if not all(isinstance(pair, (list, tuple)) and isinstance(pair[0], str) for pair in pairs):
        raise pickle.UnpicklingError("it has an OrderedDict of something else than names")
    return Names(pairs)


def _layout(storage: object, offset: object, size: object, stride: object, *_: object) -> Layout:
    """In place of ``_rebuild_tensor``. Raises ValueError where it reaches beyond its storage."""
    if not isinstance(storage, Storage):
        raise pickle.UnpicklingError("it has a tensor without a storage")
    start, sizes, strides = _count(offset), _counts(size), _counts(stride)
    if len(sizes) != len(strides) or math.prod(sizes) > _MOST_VALUES:
        raise ValueError("it has a tensor with impossible sizes")
    layout = Layout(storage, start, sizes, strides)
    if layout.end() > storage.items:
        raise ValueError("it has a tensor that reaches beyond its storage")
    return layout


def _layout_v2(storage: object, offset: object, size: object, stride: object, *more: object) -> Layout:
    # After the gradient and its hooks, newer versions say what values do not show: that they are negated.
    if any(more[2:]):
        raise pickle.UnpicklingError("it has a tensor whose values are not stored as they are")
    return _layout(storage, offset, size, stride)


def _parameter(data: object, *_: object) -> Layout:
    if not isinstance(data, Layout):
        raise pickle.UnpicklingError("it has a parameter without a tensor")
    return data


def _count(value: object) -> int:
    if type(value) is not int or not 0 <= value <= _MOST_VALUES:
        raise ValueError("it has a size that is none")
    return value


def _counts(value: object) -> tuple[int, ...]:
    sizes = cast("tuple[object, ...]", value) if isinstance(value, tuple) else None
    if sizes is None or len(sizes) > _MOST_DIMENSIONS:
        raise ValueError("it has a tensor with impossible sizes")
    return tuple(_count(size) for size in sizes)


def _version(about: object) -> int | None:
    version = cast("dict[str, Any]", about).get("version") if isinstance(about, dict) else None
    return version if type(version) is int else None


_GLOBALS: dict[tuple[str, str], Callable[..., Any] | None] = {
    ("collections", "OrderedDict"): _names,
    ("torch", "Size"): _counts,
    ("torch._utils", "_rebuild_tensor"): _layout,
    ("torch._utils", "_rebuild_tensor_v2"): _layout_v2,
    ("torch._utils", "_rebuild_parameter"): _parameter,
    **{("torch", name): None for name in STORAGES},
}
