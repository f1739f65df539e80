"""The safetensors format: the length of a header (8 bytes, little-endian), the header in JSON, the values.

Written after the format's own description. Nothing is read that the format does not allow: no hole between
two tensors, no byte behind the last, no name twice.
"""

from __future__ import annotations

import json
import math
import struct
from typing import Any, cast

from isotorch_worker.base.told import brief
from isotorch_worker.checkpoints.archive import Record
from isotorch_worker.checkpoints.inert import Layout, Storage
from isotorch_worker.protocol.errors import CheckpointMismatch

# The format allows 100 MB, of which Python would make gigabytes. A hundred thousand tensors fit into this.
MOST_HEADER_BYTES = 16 * 1024 * 1024
# Of lists and objects: a tensor has three.
_MOST_PARTS = 1_000_000
_MOST_DIGITS = 18
_MOST_DIMENSIONS = 64
_LENGTH = struct.Struct("<Q")
_DTYPES = {
    "BF16": ("bfloat16", 2),
    "BOOL": ("bool", 1),
    "F16": ("float16", 2),
    "F32": ("float32", 4),
    "F64": ("float64", 8),
    "I16": ("int16", 2),
    "I32": ("int32", 4),
    "I64": ("int64", 8),
    "I8": ("int8", 1),
    "U8": ("uint8", 1),
}
_METADATA = "__metadata__"
_FIELDS = {"dtype", "shape", "data_offsets"}


def is_safetensors(data: memoryview) -> bool:
    """Whether it begins as such a file does: a length below 2^48, and an object of JSON."""
    start = bytes(data[: _LENGTH.size + 1])
    return len(start) == _LENGTH.size + 1 and start[6:] == b"\0\0{"


def read_safetensors(data: memoryview) -> tuple[dict[str, Layout], dict[str, Record], dict[str, str]]:
    """The tensors of the file by name, where the values of each lie, and the file's own ``__metadata__``.

    Each tensor has a storage of its own, which is called as it is. Raises CheckpointMismatch for a type that
    is not read, and ValueError for what the format does not allow.
    """
    header, start = _header(data)
    metadata = header.pop(_METADATA, {})
    if not isinstance(metadata, dict) or not all(
        isinstance(text, str) for text in cast("dict[str, Any]", metadata).values()
    ):
        raise ValueError(f"its {_METADATA} is no text by name")
    layouts: dict[str, Layout] = {}
    places: dict[str, Record] = {}
    for name, about in header.items():
        layouts[name], places[name] = _tensor(name, about, start)
    _check_places(places, start, len(data))
    return layouts, places, cast("dict[str, str]", metadata)


def _header(data: memoryview) -> tuple[dict[str, Any], int]:
    (length,) = _LENGTH.unpack(data[: _LENGTH.size])
    start = _LENGTH.size + length
    if start > len(data):
        raise ValueError(f"its header has {length} bytes, more than the file")
    if length > MOST_HEADER_BYTES:
        raise CheckpointMismatch(
            f"the checkpoint has a header of {length} bytes, more than the {MOST_HEADER_BYTES} that are read"
        )
    text = bytes(data[_LENGTH.size : start])
    if text.count(b"[") + text.count(b"{") > _MOST_PARTS:
        raise ValueError("its header has more lists than tensors need")
    try:
        header = json.loads(
            text.decode("utf-8"),
            object_pairs_hook=_once,
            parse_int=_integer,
            parse_float=_no_number,
            parse_constant=_no_number,
        )
    except RecursionError:
        raise ValueError("its header is nested too deeply") from None
    if not isinstance(header, dict):
        raise ValueError("its header is no object")
    return cast("dict[str, Any]", header), start


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("its header has a name twice")
    return found


def _integer(digits: str) -> int:
    if len(digits) > _MOST_DIGITS:
        raise ValueError("its header has a number that is no size")
    return int(digits)


def _no_number(text: str) -> Any:
    raise ValueError(f"its header has the number {brief(text, 40)}, expected whole ones")


def _tensor(name: str, about: object, start: int) -> tuple[Layout, Record]:
    fields = cast("dict[str, Any]", about) if isinstance(about, dict) else {}
    if fields.keys() != _FIELDS:
        raise ValueError(f"its header has no dtype, shape and data_offsets alone for {brief(name)}")
    kind, shape, offsets = (
        fields["dtype"],
        _sizes(name, fields["shape"]),
        _sizes(name, fields["data_offsets"]),
    )
    if not isinstance(kind, str):
        raise ValueError(f"its header has no dtype for {brief(name)}")
    if kind not in _DTYPES:
        raise CheckpointMismatch(
            f"the checkpoint has the type {brief(kind, 40)} in {brief(name)}, "
            f"expected one of {', '.join(_DTYPES)}",
            "save the network again in one of these types",
        )
    dtype, item = _DTYPES[kind]
    items = math.prod(shape)
    if len(offsets) != 2 or offsets[1] - offsets[0] != items * item:
        raise ValueError(f"its data_offsets for {brief(name)} do not have the size of its shape")
    strides = tuple(math.prod(shape[axis + 1 :]) for axis in range(len(shape)))
    place = Record(start + offsets[0], items * item)
    return Layout(Storage(dtype, name, items), 0, shape, strides), place


def _sizes(name: str, value: object) -> tuple[int, ...]:
    sizes = cast("list[Any]", value) if isinstance(value, list) else None
    if (
        sizes is None
        or len(sizes) > _MOST_DIMENSIONS
        or not all(type(one) is int and one >= 0 for one in sizes)
    ):
        raise ValueError(f"its header has sizes that are none for {brief(name)}")
    return tuple(sizes)


def _check_places(places: dict[str, Record], start: int, length: int) -> None:
    end, before = start, ""
    # An empty tensor lies before what begins where it does.
    for name, place in sorted(places.items(), key=lambda one: one[1]):
        if place.offset != end:
            what = "reaches into" if place.offset < end else "leaves a hole before"
            raise ValueError(f"{brief(before) if before else 'its header'} {what} {brief(name)}")
        end, before = place.offset + place.size, name
    if end != length:
        raise ValueError(f"its tensors end at {end} of {length} bytes")
