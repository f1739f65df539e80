"""What the worker and its picture processes say to each other over two pipes: a small header, raw bytes.

A message is the length of its header (4 bytes, the highest first), the header as JSON, and its payloads,
whose lengths the header has under ``bytes``. Nothing in it is run.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from typing import Any, Protocol, cast

_LENGTH = struct.Struct(">I")
MAX_HEADER_BYTES = 256 * 1024
MAX_PAYLOADS = 2


class Pipe(Protocol):
    """An unbuffered stream: a read or a write may do less than it was asked for."""

    def write(self, data: memoryview, /) -> int | None: ...

    def readinto(self, into: memoryview, /) -> int | None: ...


def write(pipe: Pipe, header: Mapping[str, Any], *payloads: bytes | bytearray | memoryview) -> None:
    """Send one message. Raises OSError where nobody reads."""
    text = json.dumps({**header, "bytes": [len(payload) for payload in payloads]}).encode("ascii")
    for part in (_LENGTH.pack(len(text)) + text, *payloads):
        rest = memoryview(part)
        while len(rest) > 0:
            rest = rest[pipe.write(rest) or 0 :]


def read(pipe: Pipe, most: int) -> tuple[dict[str, Any], list[bytearray]]:
    """The next message; its payloads have at most ``most`` bytes together.

    Raises EOFError at the end, or ValueError for what is no message.
    """
    (length,) = _LENGTH.unpack(_exactly(pipe, _LENGTH.size))
    if length > MAX_HEADER_BYTES:
        raise ValueError("the header is too long")
    try:
        header: Any = json.loads(_exactly(pipe, length))
    except RecursionError:
        raise ValueError("the header is too deep") from None
    lengths: Any = cast("dict[str, Any]", header).get("bytes") if isinstance(header, dict) else None
    if not isinstance(lengths, list) or len(cast("list[Any]", lengths)) > MAX_PAYLOADS:
        raise ValueError("the header has no list of lengths")
    sizes = cast("list[Any]", lengths)
    if not all(type(size) is int and size >= 0 for size in sizes) or sum(sizes) > most:
        raise ValueError("a payload is too long")
    return header, [_exactly(pipe, size) for size in sizes]


def _exactly(pipe: Pipe, size: int) -> bytearray:
    data = bytearray(size)
    with memoryview(data) as whole:
        done = 0
        while done < size:
            count = pipe.readinto(whole[done:])
            if not count:
                raise EOFError
            done += count
    return data
