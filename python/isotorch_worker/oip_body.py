"""A body as it comes in: inflated where it is compressed, never beyond its limit. No I/O."""

from __future__ import annotations

import zlib

from isotorch_worker.oip_json import LARGEST, InvalidInput, TooLarge
from isotorch_worker.protocol.errors import WorkerError

LARGEST_BINARY = 32 * 1024 * 1024
"""Bytes of a body with binary data at least: a full batch of float32, of 224 pixels a side, has 18.4 MiB."""
_WINDOWS = {"gzip": 31, "x-gzip": 31, "deflate": 15}


class UnsupportedEncoding(WorkerError):
    """The body is compressed in a way that is not inflated here."""

    code = "UNSUPPORTED_MEDIA_TYPE"


class Body:
    """``encoding`` is the header Content-Encoding, ``batch`` the bytes of a full one.

    Raises UnsupportedEncoding.
    """

    def __init__(self, encoding: str | None, has_binary: bool, batch: int = 0) -> None:
        name = (encoding or "identity").strip().lower()
        if name not in _WINDOWS and name not in ("", "identity"):
            raise UnsupportedEncoding("the body is compressed, and neither with gzip nor with deflate")
        self._inflater = zlib.decompressobj(_WINDOWS[name]) if name in _WINDOWS else None
        self._limit = max(LARGEST_BINARY, batch) if has_binary else LARGEST
        self._whole = bytearray()

    def feed(self, chunk: bytes) -> None:
        """Takes a part. Raises TooLarge as soon as there is more than the limit, InvalidInput for no gzip."""
        if self._inflater is not None:
            room = self._limit + 1 - len(self._whole)
            try:
                chunk = self._inflater.decompress(chunk, room)
            except zlib.error:
                raise InvalidInput("the body is not what its content encoding says") from None
        if len(self._whole) + len(chunk) > self._limit:
            raise TooLarge(f"the body has more than {self._limit} bytes")
        self._whole += chunk

    def finish(self) -> bytes:
        """All of it. Raises InvalidInput where compressed data has no end."""
        if self._inflater is not None and not self._inflater.eof:
            raise InvalidInput("the body is not what its content encoding says")
        return bytes(self._whole)
