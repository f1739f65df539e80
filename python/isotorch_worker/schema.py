"""What each message of docs/protocol.md may hold: twin of src/worker/schema.ts."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Union, cast

from isotorch_worker.errors import ERROR_CODES, ProtocolError

PROTOCOL_VERSION = 1
MAX_HEADER_BYTES = 4096
MAX_FRAMES = 8
MAX_FRAME_BYTES = 576 * 1024 * 1024
MAX_INTEGER = 2**32 - 1
MAX_TEXT_BYTES = 2000

MESSAGE_TYPES = (
    "hello",
    "load",
    "progress",
    "ready",
    "infer",
    "decode",
    "attest",
    "result",
    "error",
    "cancel",
    "ping",
    "pong",
    "stop",
    "log",
)
# What a controller sends and waits for the answer of.
REQUESTS = ("load", "infer", "decode", "attest")
ITEM_SIZES = {"<f4": 4, "<i8": 8, "|u1": 1}
HANDOFFS = ("tensor", "pixels", "encoded")
INCLUDES = ("logits", "probabilities")
PRECISIONS = ("exact", "fused", "bf16", "fp16")
PHASES = ("import", "make", "verify", "build", "load", "warm-up")
EXIF = ("ignore", "apply")
ICC = ("ignore", "to-srgb")
MODES = ("convert-rgb", "strict")
LOG_LEVELS = ("debug", "info", "warning", "error")

Payload = Union[bytes, bytearray, memoryview]
Frames = dict[str, tuple["Descriptor", Payload]]
Check = Callable[[str, Any], None]
Dims = tuple[Union[int, str], ...]


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


def clip(text: str, limit: int = MAX_TEXT_BYTES) -> str:
    """``text`` as something that fits a header: valid UTF-8, at most ``limit`` bytes of it."""
    raw = text.encode("utf-8", "replace")
    if len(raw) <= limit:
        return raw.decode("utf-8")
    return raw[: limit - 3].decode("utf-8", "ignore") + "…"


def shown(value: Any) -> str:
    """``value`` for an error message, 80 bytes at most."""
    return clip(repr(value), 80)


def check_message(message: Message) -> None:
    """Raises ProtocolError if the message does not follow docs/protocol.md."""
    kind = message.type
    # Lengths first: nothing below looks at a payload whose size is not what its descriptor says.
    for descriptor, payload in message.frames.values():
        _check_length(descriptor, payload)
    one_of(*MESSAGE_TYPES)("type", kind)
    integer()("id", message.id)
    integer()("generation", message.generation)
    checks = FIELDS[kind]
    if set(message.fields) != set(checks):
        raise ProtocolError(f"{kind} has the keys {sorted(checks)}, received {sorted(message.fields)}")
    for name, check in checks.items():
        check(name, message.fields[name])
    layouts = _layouts(message)
    names = tuple(message.frames)
    if names not in layouts:
        raise ProtocolError(f"{kind} cannot have the frames {shown(list(names))}")
    sizes: dict[str, int] = {}
    for descriptor, _ in message.frames.values():
        dtype, dims = _FRAMES.get(f"{kind} {descriptor.name}", _FRAMES[descriptor.name])
        if descriptor.dtype != dtype or not _fits(descriptor.shape, dims, sizes):
            raise ProtocolError(
                f"{descriptor.name}: expected {dtype} {list(dims)}, "
                f"received {descriptor.dtype} {list(descriptor.shape)}"
            )


def _check_length(descriptor: Descriptor, payload: Payload) -> None:
    one_of(*ITEM_SIZES)("dtype", descriptor.dtype)
    expected = ITEM_SIZES[descriptor.dtype] * math.prod(descriptor.shape)
    actual = payload.nbytes if isinstance(payload, memoryview) else len(payload)
    if expected != actual or actual > MAX_FRAME_BYTES:
        raise ProtocolError(f"{descriptor.name}: {list(descriptor.shape)} is not {actual} bytes")


def _layouts(message: Message) -> tuple[tuple[str, ...], ...]:
    if message.type == "infer":
        return ((message.fields["handoff"],),)
    return _LAYOUTS.get(message.type, ((),))


def _fits(shape: tuple[int, ...], dims: Dims, sizes: dict[str, int]) -> bool:
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


def integer(least: int = 0, most: int = MAX_INTEGER) -> Check:
    """A check for an integer in a range; a boolean is none."""

    def check(name: str, value: Any) -> None:
        if type(value) is not int or not least <= value <= most:
            raise ProtocolError(
                f"{name}: expected an integer from {least} to {most}, received {shown(value)}"
            )

    return check


def _number(most: float = math.inf) -> Check:
    def check(name: str, value: Any) -> None:
        # A writer in JavaScript packs 2.0 as the integer 2.
        if type(value) not in (int, float) or not math.isfinite(value) or not 0 <= value <= most:
            raise ProtocolError(f"{name}: expected a number from 0 to {most}, received {shown(value)}")

    return check


def _finite(name: str, value: Any) -> None:
    if type(value) not in (int, float) or not math.isfinite(value):
        raise ProtocolError(f"{name}: expected a finite number, received {shown(value)}")


def _boolean(name: str, value: Any) -> None:
    if type(value) is not bool:
        raise ProtocolError(f"{name}: expected true or false, received {shown(value)}")


def text(limit: int = MAX_TEXT_BYTES, pattern: str | None = None) -> Check:
    """A check for text of at most ``limit`` bytes of UTF-8, matching ``pattern`` as a whole."""
    expression = None if pattern is None else re.compile(pattern)

    def check(name: str, value: Any) -> None:
        if not isinstance(value, str):
            raise ProtocolError(f"{name}: expected text, received {shown(value)}")
        if len(value.encode("utf-8", "replace")) > limit:
            raise ProtocolError(f"{name}: longer than {limit} bytes")
        if expression is not None and expression.fullmatch(value) is None:
            raise ProtocolError(f"{name}: {shown(value)} does not match {pattern}")

    return check


def one_of(*choices: str) -> Check:
    """A check for one of these texts."""

    def check(name: str, value: Any) -> None:
        if not isinstance(value, str) or value not in choices:
            raise ProtocolError(f"{name}: expected one of {', '.join(choices)}, received {shown(value)}")

    return check


def _or_nil(inner: Check) -> Check:
    def check(name: str, value: Any) -> None:
        if value is not None:
            inner(name, value)

    return check


def _list_of(inner: Check, lengths: range, distinct: bool = False) -> Check:
    def check(name: str, value: Any) -> None:
        if not isinstance(value, list) or len(cast("list[Any]", value)) not in lengths:
            raise ProtocolError(f"{name}: expected a list, received {shown(value)}")
        items = cast("list[Any]", value)
        for item in items:
            inner(name, item)
        if distinct and len(set(items)) != len(items):
            raise ProtocolError(f"{name}: the same item twice")

    return check


def _map_of(inner: Check) -> Check:
    key_check = text(32, _MAP_KEY)

    def check(name: str, value: Any) -> None:
        if not isinstance(value, dict):
            raise ProtocolError(f"{name}: expected a map, received {shown(value)}")
        for key, item in cast("dict[Any, Any]", value).items():
            key_check(f"{name} key", key)
            inner(f"{name}.{key}", item)

    return check


def _record(checks: Mapping[str, Check]) -> Check:
    def check(name: str, value: Any) -> None:
        if not isinstance(value, dict) or set(cast("dict[Any, Any]", value)) != set(checks):
            raise ProtocolError(f"{name}: expected a map with the keys {', '.join(checks)}")
        for key, inner in checks.items():
            inner(f"{name}.{key}", value[key])

    return check


# Map keys start with a letter, so that __proto__ is never one.
_MAP_KEY = "[A-Za-z][A-Za-z0-9_.-]*"
_TEXT = text()
_SPEC = _record(
    {
        "resize": integer(1),
        "crop": integer(1),
        "mean": _list_of(_finite, range(3, 4)),
        "std": _list_of(_finite, range(3, 4)),
        "interpolation": _TEXT,
    }
)

FIELDS: dict[str, dict[str, Check]] = {
    "hello": {
        "protocol": integer(),
        "package": _TEXT,
        "proof": text(64, "[0-9a-f]{64}"),
        "pid": integer(),
        "python": _TEXT,
        "executable": _TEXT,
    },
    "load": {
        "model": _TEXT,
        "checkpoint": text(MAX_HEADER_BYTES),
        "sha256": _or_nil(text(64, "[0-9a-f]{8,64}")),
        "trust": _boolean,
        "seed": _or_nil(integer()),
        "transforms": _TEXT,
        "device": _TEXT,
        "precision": one_of(*PRECISIONS),
        "threads": integer(0, 1024),
        "maxBatch": integer(),
    },
    "progress": {"phase": one_of(*PHASES), "fraction": _or_nil(_number(1))},
    "ready": {
        "versions": _map_of(_TEXT),
        "device": _TEXT,
        "deviceName": _TEXT,
        "deviceReason": _TEXT,
        "threads": integer(1, 1024),
        "threadsReason": _TEXT,
        "precision": one_of(*PRECISIONS),
        "sha256": text(64, "[0-9a-f]{64}"),
        "spec": _SPEC,
        "maxBatch": integer(),
        "warmupMs": _number(),
    },
    "infer": {
        "handoff": one_of(*HANDOFFS),
        "topK": integer(0, 1000),
        "include": _list_of(one_of(*INCLUDES), range(3), distinct=True),
        "maxPixels": integer(),
        "deadlineMs": _or_nil(_number()),
        "following": integer(),
    },
    "decode": {
        "exif": one_of(*EXIF),
        "icc": one_of(*ICC),
        "mode": one_of(*MODES),
        "maxPixels": integer(),
        "spec": _or_nil(_SPEC),
        "picture": _boolean,
        "deadlineMs": _or_nil(_number()),
    },
    "attest": {"spec": _SPEC},
    "result": {"timings": _map_of(_number()), "batch": integer()},
    "error": {"code": one_of(*ERROR_CODES), "message": _TEXT, "hint": _or_nil(text(1000))},
    "cancel": {},
    "ping": {},
    "pong": {"residentKiB": _or_nil(integer())},
    "stop": {},
    "log": {"level": one_of(*LOG_LEVELS), "message": _TEXT},
}

# What each frame is, wherever it appears; "TYPE NAME" where one message type differs.
_FRAMES: dict[str, tuple[str, Dims]] = {
    "categories": ("|u1", ("*",)),
    "models": ("|u1", ("*",)),
    "tensor": ("<f4", ("N", 3, "H", "W")),
    "pixels": ("|u1", ("N", "H", "W", 3)),
    "result pixels": ("|u1", ("H", "W", 3)),
    "cropped": ("|u1", ("h", "w", 3)),
    "result tensor": ("<f4", ("N", 3, "h", "w")),
    "attestation": ("|u1", ("*",)),
    "encoded": ("|u1", ("*",)),
    "indices": ("<i8", ("N", "k")),
    "scores": ("<f4", ("N", "k")),
    "percentages": ("<f4", ("N", "k")),
    "logits": ("<f4", ("N", 1000)),
    "probabilities": ("<f4", ("N", 1000)),
    "traceback": ("|u1", ("*",)),
}

_TOP = ("indices", "scores", "percentages")
_LAYOUTS: dict[str, tuple[tuple[str, ...], ...]] = {
    "ready": (("categories", "models", "attestation"),),
    "decode": (("encoded",),),
    "result": (
        _TOP,
        (*_TOP, "logits"),
        (*_TOP, "probabilities"),
        (*_TOP, "logits", "probabilities"),
        ("pixels",),
        ("cropped", "tensor"),
        ("pixels", "cropped", "tensor"),
        ("attestation",),
    ),
    "error": (("traceback",), ()),
}
