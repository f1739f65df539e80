"""Whether a message is one that the table has: twin of src/protocol/schema.ts."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Union, cast

from isotorch_worker.protocol.errors import ProtocolError
from isotorch_worker.protocol.table import ERROR_CODES, TABLE, choices

_LIMITS: dict[str, int] = TABLE["limits"]
_MESSAGES: dict[str, dict[str, Any]] = TABLE["messages"]
_FRAMES: dict[str, dict[str, Any]] = TABLE["frames"]

PROTOCOL_VERSION: int = TABLE["version"]
MAX_HEADER_BYTES = _LIMITS["headerBytes"]
MAX_FRAMES = _LIMITS["frames"]
MAX_FRAME_BYTES = _LIMITS["frameBytes"]
MAX_DIMENSIONS = _LIMITS["dimensions"]
MAX_INTEGER: int = TABLE["kinds"]["count"]["integer"][1]
# The largest whole number that JavaScript has without gaps.
_MAX_SAFE_INTEGER = 2**53 - 1

MESSAGE_TYPES = tuple(_MESSAGES)
# What a controller sends and waits for the answer of.
REQUESTS = tuple(name for name, entry in _MESSAGES.items() if entry.get("isRequest", False))
ITEM_SIZES: dict[str, int] = TABLE["dtypes"]
# The keys of each type with their kinds, in the order in which they are written.
FIELDS: dict[str, dict[str, str]] = {
    name: {key: entry["kind"] for key, entry in message["fields"].items()}
    for name, message in _MESSAGES.items()
}
INCLUDES = choices("include")

Payload = Union[bytes, bytearray, memoryview]
Frames = dict[str, tuple["Descriptor", Payload]]
# Gives the value back as this language holds it; raises ProtocolError.
Check = Callable[[str, Any], Any]


@dataclass(frozen=True)
class Descriptor:
    """What one payload frame holds: its name, its NumPy type string and its shape (C order)."""

    name: str
    dtype: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Message:
    """One message. ``fields`` keeps the order of docs/protocol.md; ``frames`` is keyed by frame name."""

    type: str
    id: int
    generation: int
    fields: dict[str, Any] = field(default_factory=dict)
    frames: Frames = field(default_factory=dict)


def clip(text: str, limit: int = TABLE["kinds"]["text"]["text"]["bytes"]) -> str:
    """``text`` as something that fits a header: valid UTF-8, at most ``limit`` bytes of it."""
    raw = text.encode("utf-8", "replace")
    if len(raw) <= limit:
        return raw.decode("utf-8")
    return raw[: limit - 3].decode("utf-8", "ignore") + "…"


def shown(value: Any) -> str:
    """``value`` for an error message, 80 bytes at most."""
    return clip(repr(value), 80)


def check_message(message: Message) -> dict[str, Any]:
    """The fields of a message that follows docs/protocol.md, as this language holds them.

    Raises ProtocolError.
    """
    kind = message.type
    # Lengths first: nothing below looks at a payload whose size is not what its descriptor says.
    for descriptor, payload in message.frames.values():
        _check_length(descriptor, payload)
    if kind not in _MESSAGES:
        raise ProtocolError(f"type: expected a message type, received {shown(kind)}")
    check("count", "id", message.id)
    check("count", "generation", message.generation)
    kinds = FIELDS[kind]
    if set(message.fields) != set(kinds):
        raise ProtocolError(f"{kind} has the keys {sorted(kinds)}, received {sorted(message.fields)}")
    fields = {name: check(kinds[name], name, message.fields[name]) for name in kinds}
    _check_frames(message, fields)
    return fields


def check(kind: str, name: str, value: Any) -> Any:
    """``value``, of a kind of the table, as this language holds it. Raises ProtocolError with ``name``."""
    if kind.endswith("?"):
        return None if value is None else check(kind[:-1], name, value)
    return _CHECKS[kind](name, value)


def _check_length(descriptor: Descriptor, payload: Payload) -> None:
    if descriptor.dtype not in ITEM_SIZES:
        raise ProtocolError(f"dtype: received {shown(descriptor.dtype)}")
    expected = ITEM_SIZES[descriptor.dtype] * math.prod(descriptor.shape)
    actual = payload.nbytes if isinstance(payload, memoryview) else len(payload)
    if expected != actual or actual > MAX_FRAME_BYTES:
        raise ProtocolError(f"{descriptor.name}: {list(descriptor.shape)} is not {actual} bytes")


def _check_frames(message: Message, fields: dict[str, Any]) -> None:
    layouts = _MESSAGES[message.type].get("frames", [[]])
    allowed = [[fields[layouts]]] if isinstance(layouts, str) else layouts
    if list(message.frames) not in allowed:
        raise ProtocolError(f"{message.type} cannot have the frames {shown(list(message.frames))}")
    sizes: dict[str, int] = {}
    for descriptor, _ in message.frames.values():
        wanted = _FRAMES[descriptor.name]
        if descriptor.dtype != wanted["dtype"] or not _fits(descriptor.shape, wanted["shape"], sizes):
            raise ProtocolError(
                f"{descriptor.name}: expected {wanted['dtype']} {wanted['shape']}, "
                f"received {descriptor.dtype} {list(descriptor.shape)}"
            )


def _fits(shape: tuple[int, ...], dims: list[int | str], sizes: dict[str, int]) -> bool:
    """Whether ``shape`` follows ``dims``: a letter is one size >= 1 throughout the message, * any size."""
    if len(shape) != len(dims):
        return False
    for size, dim in zip(shape, dims):
        if dim == "*":
            continue
        wanted = dim if isinstance(dim, int) else sizes.setdefault(dim, max(size, 1))
        if size != wanted:
            return False
    return True


def _integer(of: list[int], _: dict[str, Any]) -> Check:
    least, most = of

    def check_integer(name: str, value: Any) -> Any:
        # JavaScript has one type for both: a float without a fraction is the integer. A boolean is none.
        if type(value) is float and value.is_integer():
            value = int(value)
        if type(value) is not int or not least <= value <= most:
            raise ProtocolError(
                f"{name}: expected an integer from {least} to {most}, received {shown(value)}"
            )
        return value

    return check_integer


def _number(of: list[float | None], _: dict[str, Any]) -> Check:
    least, most = (-math.inf if of[0] is None else of[0]), (math.inf if of[1] is None else of[1])

    def check_number(name: str, value: Any) -> Any:
        is_number = type(value) is float or (type(value) is int and abs(value) <= _MAX_SAFE_INTEGER)
        if not is_number or not math.isfinite(value) or not least <= value <= most:
            raise ProtocolError(f"{name}: expected a number from {least} to {most}, received {shown(value)}")
        return value

    return check_number


def _boolean(_: bool, __: dict[str, Any]) -> Check:
    def check_boolean(name: str, value: Any) -> Any:
        if type(value) is not bool:
            raise ProtocolError(f"{name}: expected true or false, received {shown(value)}")
        return value

    return check_boolean


def _text(of: dict[str, Any], _: dict[str, Any]) -> Check:
    limit, pattern = of["bytes"], of.get("pattern")
    expression = None if pattern is None else re.compile(pattern)

    def check_text(name: str, value: Any) -> Any:
        if not isinstance(value, str):
            raise ProtocolError(f"{name}: expected text, received {shown(value)}")
        if len(value.encode("utf-8", "replace")) > limit:
            raise ProtocolError(f"{name}: longer than {limit} bytes")
        if expression is not None and expression.fullmatch(value) is None:
            raise ProtocolError(f"{name}: {shown(value)} does not match {pattern}")
        return value

    return check_text


def _one_of(of: list[str] | str, _: dict[str, Any]) -> Check:
    allowed = ERROR_CODES if of == "codes" else tuple(of)

    def check_choice(name: str, value: Any) -> Any:
        if not isinstance(value, str) or value not in allowed:
            raise ProtocolError(f"{name}: expected one of {', '.join(allowed)}, received {shown(value)}")
        return value

    return check_choice


def _list_of(of: str, kind: dict[str, Any]) -> Check:
    least, most = kind["items"]

    def check_list(name: str, value: Any) -> Any:
        if not isinstance(value, list) or not least <= len(cast("list[Any]", value)) <= most:
            raise ProtocolError(f"{name}: expected a list, received {shown(value)}")
        items = [check(of, name, item) for item in cast("list[Any]", value)]
        if kind.get("distinct", False) and len(set(items)) != len(items):
            raise ProtocolError(f"{name}: the same item twice")
        return items

    return check_list


def _pair_of(of: str, _: dict[str, Any]) -> Check:
    def check_pair(name: str, value: Any) -> Any:
        if not isinstance(value, list) or len(cast("list[Any]", value)) != 2:
            raise ProtocolError(f"{name}: expected a pair, received {shown(value)}")
        return [check(of, name, item) for item in cast("list[Any]", value)]

    return check_pair


def _either(of: list[str], _: dict[str, Any]) -> Check:
    first, second = of

    def check_either(name: str, value: Any) -> Any:
        try:
            return check(first, name, value)
        except ProtocolError:
            return check(second, name, value)

    return check_either


def _map_of(of: str, _: dict[str, Any]) -> Check:
    def check_map(name: str, value: Any) -> Any:
        if not isinstance(value, dict):
            raise ProtocolError(f"{name}: expected a map, received {shown(value)}")
        entries = cast("dict[Any, Any]", value).items()
        return {check("name", f"{name} key", key): check(of, f"{name}.{key}", item) for key, item in entries}

    return check_map


def _record(of: dict[str, str], _: dict[str, Any]) -> Check:
    def check_record(name: str, value: Any) -> Any:
        if not isinstance(value, dict) or set(cast("dict[Any, Any]", value)) != set(of):
            raise ProtocolError(f"{name}: expected a map with the keys {', '.join(of)}")
        return {key: check(inner, f"{name}.{key}", value[key]) for key, inner in of.items()}

    return check_record


_MAKERS: dict[str, Callable[[Any, dict[str, Any]], Check]] = {
    "integer": _integer,
    "number": _number,
    "bool": _boolean,
    "text": _text,
    "oneOf": _one_of,
    "listOf": _list_of,
    "pairOf": _pair_of,
    "either": _either,
    "mapOf": _map_of,
    "record": _record,
}


def _check_of(kind: dict[str, Any]) -> Check:
    what = next(name for name in kind if name in _MAKERS)
    return _MAKERS[what](kind[what], kind)


_CHECKS: dict[str, Check] = {name: _check_of(kind) for name, kind in TABLE["kinds"].items()}
