"""Messages between controller and worker as bytes: docs/protocol.md, twin of src/worker/wire.ts.

One message is one msgpack header and then raw payload frames. Nothing here needs torch or NumPy.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import msgpack

from isotorch_worker.errors import ProtocolError, ProtocolVersionError
from isotorch_worker.schema import (
    FIELDS,
    ITEM_SIZES,
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
    check_message,
    clip,
    integer,
    one_of,
    shown,
    text,
)

__all__ = [
    "MAX_FRAMES",
    "MAX_FRAME_BYTES",
    "MAX_HEADER_BYTES",
    "MAX_INTEGER",
    "MESSAGE_TYPES",
    "PROTOCOL_VERSION",
    "REQUESTS",
    "Descriptor",
    "Frames",
    "Message",
    "Payload",
    "clip",
    "decode",
    "encode",
]

_COMMON_KEYS = ("v", "type", "id", "generation", "frames")


def encode(message: Message) -> list[Payload]:
    """Turn a message into its header and payload frames, always the same bytes for the same message.

    Raises ProtocolError if the message does not follow docs/protocol.md.
    """
    check_message(message)
    header: dict[str, Any] = {
        "v": PROTOCOL_VERSION,
        "type": message.type,
        "id": message.id,
        "generation": message.generation,
    }
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
    if len(packed) > MAX_HEADER_BYTES:
        raise ProtocolError(
            f"the header of {message.type} has {len(packed)} bytes, more than {MAX_HEADER_BYTES}"
        )
    return [packed, *(payload for _, payload in message.frames.values())]


def decode(frames: Sequence[Payload]) -> Message:
    """Read a message from its frames; the payloads are kept as they are, without a copy.

    Raises ProtocolVersionError for another protocol version, ProtocolError for everything else that does not
    follow docs/protocol.md, and nothing else whatever the bytes are.
    """
    if not 1 <= len(frames) <= 1 + MAX_FRAMES:
        raise ProtocolError(f"a message has 1 to {1 + MAX_FRAMES} frames, this one has {len(frames)}")
    header = _unpack(frames[0])
    _version("v", header.get("v"))
    kind = header.get("type")
    if not isinstance(kind, str) or kind not in MESSAGE_TYPES:
        raise ProtocolError(f"type: expected a message type, received {shown(kind)}")
    try:
        return _read(kind, header, frames[1:])
    except ProtocolError as error:
        asks = (header.get("id"), header.get("generation"))
        if kind in REQUESTS and all(type(n) is int and 0 <= n <= MAX_INTEGER for n in asks):
            error.request = cast("tuple[int, int]", asks)
        raise


def _read(kind: str, header: dict[str, Any], payloads: Sequence[Payload]) -> Message:
    names = FIELDS[kind]
    for key in header:
        if key not in _COMMON_KEYS and key not in names:
            raise ProtocolError(f"{kind} has no key {shown(key)}")
    for key in ("id", "generation", *names):
        if key not in header:
            raise ProtocolError(f"{kind} needs the key {key}")
    message = Message(
        kind,
        header["id"],
        header["generation"],
        {name: header[name] for name in names},
        _pair_frames(header.get("frames", []), payloads),
    )
    check_message(message)
    return message


def _unpack(header: Payload) -> dict[str, Any]:
    if len(header) > MAX_HEADER_BYTES:
        raise ProtocolError(f"the header has {len(header)} bytes, more than {MAX_HEADER_BYTES}")
    try:
        value = msgpack.unpackb(
            header,
            raw=False,
            strict_map_key=True,
            object_pairs_hook=_distinct,
            max_str_len=MAX_HEADER_BYTES,
            max_bin_len=0,
            max_ext_len=0,
            max_array_len=256,
            max_map_len=64,
        )
    except ProtocolError:
        raise
    except Exception as error:
        # The parser has a dozen exception types of its own; whichever it is, the bytes were at fault.
        raise ProtocolError(f"the header is not msgpack: {type(error).__name__}") from None
    if not isinstance(value, dict):
        raise ProtocolError(f"the header is a map, received {shown(value)}")
    return cast("dict[str, Any]", value)


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
    text()("frame name", fields["name"])
    one_of(*ITEM_SIZES)("dtype", fields["dtype"])
    shape = fields["shape"]
    if not isinstance(shape, list) or not 1 <= len(cast("list[Any]", shape)) <= 4:
        raise ProtocolError("shape: expected a list of 1 to 4 integers")
    for size in cast("list[Any]", shape):
        integer()("shape", size)
    return Descriptor(fields["name"], fields["dtype"], tuple(cast("list[int]", shape)))


def _version(name: str, value: Any) -> None:
    integer()(name, value)
    if value != PROTOCOL_VERSION:
        raise ProtocolVersionError(
            f"the controller speaks protocol {value}, this worker speaks {PROTOCOL_VERSION}",
            "install the isotorch package and its Python folder from the same release",
        )
