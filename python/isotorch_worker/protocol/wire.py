"""Messages between controller and worker as bytes: docs/protocol.md, twin of src/protocol/wire.ts.

One message is one header, an address and a map of msgpack, and then raw payload frames. Nothing here needs
torch or NumPy.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, NamedTuple, cast

import msgpack

from isotorch_worker.protocol.errors import ProtocolError, ProtocolVersionError
from isotorch_worker.protocol.schema import (
    FIELDS,
    ITEM_SIZES,
    MAX_DIMENSIONS,
    MAX_FRAME_BYTES,
    MAX_FRAMES,
    MAX_HEADER_BYTES,
    MAX_INTEGER,
    MESSAGE_TYPES,
    PROTOCOL_VERSION,
    REQUESTS,
    Descriptor,
    Frames,
    Message,
    Payload,
    check,
    check_message,
    clip,
    shown,
)
from isotorch_worker.protocol.table import TABLE

__all__ = [
    "MAX_FRAMES",
    "MAX_FRAME_BYTES",
    "MAX_HEADER_BYTES",
    "MAX_INTEGER",
    "MESSAGE_TYPES",
    "PROTOCOL_VERSION",
    "REQUESTS",
    "Address",
    "Descriptor",
    "Frames",
    "Message",
    "Payload",
    "address_of",
    "clip",
    "decode",
    "encode",
]

_COMMON_KEYS = ("type", "frames")
_MAGIC = b"iso"
# The magic, the version, the generation and the id; the highest byte first.
_ADDRESS = struct.Struct(">3sBII")
_MAX_DEPTH: int = TABLE["limits"]["depth"]


class Address(NamedTuple):
    """Whose a message is, readable whatever stands behind it: the request and the start of the worker."""

    id: int
    generation: int


def encode(message: Message) -> list[Payload]:
    """Turn a message into its header and payload frames, always the same bytes for the same message.

    Raises ProtocolError if the message does not follow docs/protocol.md.
    """
    check_message(message)
    header: dict[str, Any] = {"type": message.type}
    # The table's order, not the caller's: both languages must write the same bytes.
    for name in FIELDS[message.type]:
        header[name] = message.fields[name]
    if message.frames:
        header["frames"] = [
            {"name": d.name, "dtype": d.dtype, "shape": list(d.shape)} for d, _ in message.frames.values()
        ]
    try:
        packed = cast("bytes", msgpack.packb(header, use_bin_type=True))
    except (TypeError, ValueError, OverflowError) as error:
        raise ProtocolError(f"the header of {message.type} cannot be packed: {error}") from None
    packed = _ADDRESS.pack(_MAGIC, PROTOCOL_VERSION, message.generation, message.id) + packed
    if len(packed) > MAX_HEADER_BYTES:
        raise ProtocolError(
            f"the header of {message.type} has {len(packed)} bytes, more than {MAX_HEADER_BYTES}"
        )
    return [packed, *(payload for _, payload in message.frames.values())]


def byte_frame(name: str, data: Payload) -> Frames:
    """A frame of raw bytes, keyed as Message.frames wants it."""
    return {name: (Descriptor(name, "|u1", (len(data),)), data)}


def address_of(frames: Sequence[Payload]) -> Address | None:
    """Whose message it is; None where not even that can be read. Raises nothing."""
    if not frames or len(frames[0]) < _ADDRESS.size:
        return None
    magic, version, generation, number = _ADDRESS.unpack(bytes(frames[0][: _ADDRESS.size]))
    if magic != _MAGIC or version != PROTOCOL_VERSION:
        return None
    return Address(number, generation)


def decode(frames: Sequence[Payload]) -> Message:
    """Read a message from its frames; the payloads are kept as they are, without a copy.

    Raises ProtocolVersionError for another protocol version, ProtocolError for everything else that does not
    follow docs/protocol.md, and nothing else whatever the bytes are.
    """
    if not 1 <= len(frames) <= 1 + MAX_FRAMES:
        raise ProtocolError(f"a message has 1 to {1 + MAX_FRAMES} frames, this one has {len(frames)}")
    if len(frames[0]) > MAX_HEADER_BYTES:
        raise ProtocolError(f"the header has {len(frames[0])} bytes, more than {MAX_HEADER_BYTES}")
    address = address_of(frames)
    if address is None:
        raise _stranger(bytes(frames[0]))
    header = _unpack(frames[0][_ADDRESS.size :])
    kind = header.get("type")
    if not isinstance(kind, str) or kind not in MESSAGE_TYPES:
        raise ProtocolError(f"type: expected a message type, received {shown(kind)}")
    names = FIELDS[kind]
    for key in header:
        if key not in _COMMON_KEYS and key not in names:
            raise ProtocolError(f"{kind} has no key {shown(key)}")
    for key in names:
        if key not in header:
            raise ProtocolError(f"{kind} needs the key {key}")
    payloads = _pair_frames(header.get("frames", []), frames[1:])
    asked = {name: header[name] for name in names}
    fields = check_message(Message(kind, address.id, address.generation, asked, payloads))
    return Message(kind, address.id, address.generation, fields, payloads)


def _stranger(header: bytes) -> ProtocolError:
    """Why a header has no address of this version: version 1 had its number in the map."""
    version: Any = None
    if len(header) >= _ADDRESS.size and header.startswith(_MAGIC):
        version = header[len(_MAGIC)]
    else:
        with suppress(ProtocolError):
            version = _unpack(header).get("v")
    if type(version) is not int:
        return ProtocolError("a header of no protocol that is known here")
    return ProtocolVersionError(
        f"the controller speaks protocol {version}, this worker speaks {PROTOCOL_VERSION}",
        "install the isotorch package and its Python folder from the same release",
    )


def _unpack(header: Payload) -> dict[str, Any]:
    try:
        value = msgpack.unpackb(
            header,
            raw=False,
            strict_map_key=True,
            object_pairs_hook=_distinct,
            max_str_len=MAX_HEADER_BYTES,
            max_bin_len=0,
            max_ext_len=0,
            max_array_len=TABLE["limits"]["listItems"],
            max_map_len=TABLE["limits"]["mapItems"],
        )
    except ProtocolError:
        raise
    except Exception as error:
        # The parser has a dozen exception types of its own; whichever it is, the bytes were at fault.
        raise ProtocolError(f"the header is not msgpack: {type(error).__name__}") from None
    if not isinstance(value, dict) or _depth(value) > _MAX_DEPTH:
        raise ProtocolError(f"the header is a map, received {shown(value)}")
    return cast("dict[str, Any]", value)


def _depth(value: Any) -> int:
    """How deep maps and lists nest, 0 for what holds nothing; the parser's own limit is far higher."""
    if isinstance(value, dict):
        inner = [*cast("dict[Any, Any]", value), *cast("dict[Any, Any]", value).values()]
    elif isinstance(value, list):
        inner = cast("list[Any]", value)
    else:
        return 0
    return 1 + max((_depth(item) for item in inner), default=0)


def _distinct(pairs: Sequence[tuple[Any, Any]]) -> dict[Any, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ProtocolError("a map has the same key twice")
    return result


def _pair_frames(described: Any, payloads: Sequence[Payload]) -> Frames:
    if not isinstance(described, list):
        raise ProtocolError(f"frames: expected a list, received {shown(described)}")
    descriptors = [_read_descriptor(item) for item in cast("list[Any]", described)]
    if len(descriptors) != len(payloads):
        raise ProtocolError(f"{len(descriptors)} frames are described and {len(payloads)} came")
    paired = {d.name: (d, payload) for d, payload in zip(descriptors, payloads)}
    if len(paired) != len(descriptors):
        raise ProtocolError("two frames have the same name")
    return paired


def _read_descriptor(item: Any) -> Descriptor:
    if not isinstance(item, dict) or set(cast("dict[Any, Any]", item)) != {"name", "dtype", "shape"}:
        raise ProtocolError("a frame descriptor has the keys name, dtype and shape")
    fields = cast("dict[str, Any]", item)
    name, dtype, shape = check("text", "frame name", fields["name"]), fields["dtype"], fields["shape"]
    if not isinstance(dtype, str) or dtype not in ITEM_SIZES:
        raise ProtocolError(f"dtype: received {shown(dtype)}")
    if not isinstance(shape, list) or not 1 <= len(cast("list[Any]", shape)) <= MAX_DIMENSIONS:
        raise ProtocolError(f"shape: expected a list of 1 to {MAX_DIMENSIONS} integers")
    return Descriptor(name, dtype, tuple(check("count", "shape", size) for size in cast("list[Any]", shape)))
