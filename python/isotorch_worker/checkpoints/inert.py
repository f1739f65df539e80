"""What a pickle is made of when it is read and not run: plain data, descriptions of tensors, dead objects.

Of every class and function only the name is kept. What the pickle calls becomes a ``Dead`` that remembers
with what; nothing is imported, nothing runs, and nothing of this process can be reached or changed.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple, cast

# By the names of torch's storage classes, which are nothing else here: a dtype and the bytes of an item.
STORAGES = {
    "BFloat16Storage": ("bfloat16", 2),
    "BoolStorage": ("bool", 1),
    "ByteStorage": ("uint8", 1),
    "CharStorage": ("int8", 1),
    "ComplexDoubleStorage": ("complex128", 16),
    "ComplexFloatStorage": ("complex64", 8),
    "DoubleStorage": ("float64", 8),
    "FloatStorage": ("float32", 4),
    "HalfStorage": ("float16", 2),
    "IntStorage": ("int32", 4),
    "LongStorage": ("int64", 8),
    "QInt32Storage": ("qint32", 4),
    "QInt8Storage": ("qint8", 1),
    "QUInt2x4Storage": ("quint2x4", 1),
    "QUInt4x2Storage": ("quint4x2", 1),
    "QUInt8Storage": ("quint8", 1),
    "ShortStorage": ("int16", 2),
    "UntypedStorage": ("uint8", 1),
}
ITEM_BYTES = dict(STORAGES.values())
FLOATS = {"bfloat16", "float16", "float32", "float64"}
_STORAGE_MODULES = {"torch", "torch.cuda", "torch.storage"}
_PLAIN_TENSORS = {
    ("torch", "Tensor"),
    ("torch._tensor", "Tensor"),
    ("torch.nn.parameter", "Buffer"),
    ("torch.nn.parameter", "Parameter"),
}
_MOST_DIMENSIONS = 16
_MOST_VALUES = 2**40


class Storage(NamedTuple):
    """The values of one or more tensors, by the key of their record."""

    dtype: str
    key: str
    items: int


class Part(NamedTuple):
    """A stretch of a storage, in items: the whole of it, but for views of files from before torch 1.0."""

    storage: Storage
    start: int
    items: int


class Layout(NamedTuple):
    """A tensor that was not made yet: its place in a storage, in items."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]

    @property
    def dtype(self) -> str:
        """The name of its type in torch, such as ``float32``."""
        return self.storage.dtype

    def end(self) -> int:
        """The items that its storage has at least: one past the last that the tensor reaches."""
        if not all(self.shape):
            return self.offset
        return self.offset + 1 + sum((one - 1) * step for one, step in zip(self.shape, self.stride))


class OddTensor(NamedTuple):
    """A tensor that is no plain array of numbers, and is not read; ``kind`` says what: "a sparse tensor"."""

    kind: str


class Name(NamedTuple):
    """A class or a function. Its two texts are kept apart: a pickle can join long ones a million times."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


ORDERED = Name("collections", "OrderedDict")
_COMPILED = Name("torch._dynamo.eval_frame", "OptimizedModule")


class Dead:
    """What a call would have made: ``name`` was called with ``arguments``, and then given the rest.

    ``state`` is what it was restored from, ``members`` are its items if it is like a list or a set, and
    ``table`` those if it is like a dict.
    """

    __slots__ = ("arguments", "members", "name", "state", "table")

    def __init__(self, name: Name, arguments: object) -> None:
        self.name = name
        self.arguments = arguments
        self.state: Any = None
        self.members: list[Any] | None = None
        self.table: dict[Any, Any] | None = None


class Names(dict[Any, Any]):
    """An OrderedDict; ``state`` are its attributes, among them ``_metadata``, the versions of modules."""

    __slots__ = ("state",)

    def __init__(self) -> None:
        super().__init__()
        self.state: Any = None


class OtherKey:
    """A key that is no text. Each is unlike every other: tuples in tuples can take hours to hash."""

    __slots__ = ("value",)

    def __init__(self, value: object) -> None:
        self.value = value


def put(table: dict[Any, Any], key: object, value: object) -> None:
    """``table[key] = value``. Raises ValueError for a name that is there already."""
    if not isinstance(key, str):
        table[OtherKey(key)] = value
    elif key in table:
        raise ValueError("it has a name twice")
    else:
        table[key] = value


def called(function: object, arguments: object) -> Any:
    """What the call means: a description for a tensor, a table for a dict, and a dead object for all else."""
    if not isinstance(arguments, tuple):
        raise ValueError("it calls something without arguments")
    given = cast("tuple[Any, ...]", arguments)
    if isinstance(function, Dead):
        return Dead(function.name, given)
    if not isinstance(function, Name):
        raise ValueError("it calls what is no function")
    make = _MEANING.get(function)
    return Dead(function, given) if make is None else make(given)


def reference(pid: object, storages: dict[str, Storage]) -> Any:
    """What ("storage", class, key, device, count, view) means, and ("module", class, file, source).

    Before torch 1.6 the view of a storage came after the count: None, or (key, start, count).
    """
    fields = list(cast("tuple[Any, ...]", pid)) if isinstance(pid, tuple) else []
    if len(fields) == 4 and fields[0] == "module":
        return fields[1]
    if len(fields) not in (5, 6) or fields[0] != "storage":
        raise ValueError("it refers to something else than storages")
    kind, key, _, count = fields[1:5]
    if not isinstance(kind, Name) or kind.module not in _STORAGE_MODULES or not isinstance(key, str):
        raise ValueError("it has a storage without a type")
    if kind.name not in STORAGES:
        raise ValueError("it has a storage of an unknown type")
    said = Storage(STORAGES[kind.name][0], key, _count(count))
    storage = storages.setdefault(key, said)
    if storage != said:
        raise ValueError("it says different things of one storage")
    view = fields[5] if len(fields) == 6 else None
    if view is None:
        return Part(storage, 0, storage.items)
    _, start, items = cast("tuple[Any, Any, Any]", view)
    if _count(start) + _count(items) > storage.items:
        raise ValueError("it has a view that reaches beyond its storage")
    return Part(storage, start, items)


def _ordered(given: tuple[Any, ...]) -> Names:
    names = Names()
    # With items, as Python 2 pickled it.
    for pair in cast("list[Any]", given[0]) if given and isinstance(given[0], list) else []:
        key, value = pair
        put(names, key, value)
    return names


def _table(given: tuple[Any, ...]) -> dict[Any, Any]:  # noqa: ARG001
    return {}


def _layout(given: tuple[Any, ...]) -> Layout | OddTensor:
    """In place of ``_rebuild_tensor``. Raises ValueError where it reaches beyond its storage."""
    part, offset, size, stride = given[:4]
    if isinstance(part, Dead):
        return OddTensor("a tensor that torch.save did not write")
    if not isinstance(part, Part):
        raise ValueError("it has a tensor without a storage")
    start, sizes, strides = _count(offset), _counts(size), _counts(stride)
    if len(sizes) != len(strides) or math.prod(sizes) > _MOST_VALUES:
        raise ValueError("it has a tensor with impossible sizes")
    if Layout(part.storage, start, sizes, strides).end() > part.items:
        raise ValueError("it has a tensor that reaches beyond its storage")
    if part.storage.dtype.startswith("q"):
        return OddTensor("a quantised tensor")
    return Layout(part.storage, part.start + start, sizes, strides)


def _layout_v2(given: tuple[Any, ...]) -> Layout | OddTensor:
    # After the gradient and its hooks, newer versions say what values do not show: that they are negated.
    if any(given[6:]):
        return OddTensor("a tensor whose values are not stored as they are")
    return _layout(given)


def _layout_v3(given: tuple[Any, ...]) -> OddTensor:
    """Written for types that have no storage class, which are newer than the oldest torch there may be."""
    dtype = given[6]
    return OddTensor(f"a tensor of {dtype}" if isinstance(dtype, Name) else "a tensor of an unknown type")


def _parameter(given: tuple[Any, ...]) -> Layout | OddTensor:
    data = given[0]
    if isinstance(data, (Layout, OddTensor)):
        return data
    return OddTensor("a parameter without values")


def _typed(given: tuple[Any, ...]) -> Any:
    """``_rebuild_from_type(function, class, arguments, state)``: with attributes, or of a subclass."""
    function, kind, arguments = given[:3]
    if not isinstance(kind, Name):
        raise ValueError("it has a tensor without a class")
    return (
        called(function, arguments) if kind in _PLAIN_TENSORS else OddTensor(f"a tensor of the class {kind}")
    )


def _object(given: tuple[Any, ...]) -> Dead:
    """``_reconstructor(class, base, value)``: an object, in protocols 0 and 1."""
    made = _new(given[:1])
    if isinstance(given[2], dict):
        made.table = given[2]
    return made


def _new(given: tuple[Any, ...]) -> Dead:
    """``__newobj__(class, *arguments)``."""
    if not isinstance(given[0], Name):
        raise ValueError("it has an object without a class")
    return Dead(given[0], given[1:])


def _compiled(given: tuple[Any, ...]) -> Dead:
    """``OptimizedModule(network, how)``, a network that torch.compile wrapped and that was saved whole."""
    return given[0] if given and isinstance(given[0], Dead) else Dead(_COMPILED, given)


def _sizes(given: tuple[Any, ...]) -> tuple[int, ...]:
    return _counts(given[0])


def _odd(kind: str) -> Callable[[tuple[Any, ...]], OddTensor]:
    return lambda _: OddTensor(kind)


def _count(value: object) -> int:
    if type(value) is not int or not 0 <= value <= _MOST_VALUES:
        raise ValueError("it has a size that is none")
    return value


def _counts(value: object) -> tuple[int, ...]:
    sizes = cast("tuple[object, ...]", value) if isinstance(value, tuple) else None
    if sizes is None or len(sizes) > _MOST_DIMENSIONS:
        raise ValueError("it has a tensor with impossible sizes")
    return tuple(_count(size) for size in sizes)


_MEANING: dict[tuple[str, str], Callable[[tuple[Any, ...]], Any]] = {
    ("__builtin__", "dict"): _table,
    ("builtins", "dict"): _table,
    ORDERED: _ordered,
    ("collections", "defaultdict"): _table,
    ("copy_reg", "_reconstructor"): _object,
    ("copyreg", "_reconstructor"): _object,
    ("copyreg", "__newobj__"): _new,
    ("torch", "Size"): _sizes,
    _COMPILED: _compiled,
    ("torch._tensor", "_rebuild_from_type"): _typed,
    ("torch._tensor", "_rebuild_from_type_v2"): _typed,
    ("torch._utils", "_rebuild_device_tensor_from_cpu_tensor"): _odd("a tensor of another device"),
    ("torch._utils", "_rebuild_device_tensor_from_numpy"): _odd("a tensor of another device"),
    ("torch._utils", "_rebuild_meta_tensor_no_storage"): _odd("a tensor without values (meta)"),
    ("torch._utils", "_rebuild_nested_tensor"): _odd("a nested tensor"),
    ("torch._utils", "_rebuild_parameter"): _parameter,
    ("torch._utils", "_rebuild_parameter_with_state"): _parameter,
    ("torch._utils", "_rebuild_qtensor"): _odd("a quantised tensor"),
    ("torch._utils", "_rebuild_sparse_csr_tensor"): _odd("a sparse tensor"),
    ("torch._utils", "_rebuild_sparse_tensor"): _odd("a sparse tensor"),
    ("torch._utils", "_rebuild_tensor"): _layout,
    ("torch._utils", "_rebuild_tensor_v2"): _layout_v2,
    ("torch._utils", "_rebuild_tensor_v3"): _layout_v3,
    ("torch._utils", "_rebuild_wrapper_subclass"): _odd("a tensor of a subclass"),
    ("torch._utils", "_rebuild_xla_tensor"): _odd("a tensor of another device"),
    # What a parameter was before torch 0.4.
    ("torch.autograd.variable", "Variable"): _parameter,
    ("torch.nn.parameter", "Parameter"): _parameter,
}
