"""The JSON of an inference request: twin of src/server/oip/scan.ts and json.ts. No I/O.

What cannot be a request is refused from its bytes, and the numbers of a tensor are read in pieces: Python's
objects for all of them at once would be ten times as large, and nothing else would run meanwhile.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import secrets
import struct
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

from isotorch_worker.protocol.errors import BadTensor, WorkerError

DEEPEST = 16
MOST_LISTS = 32_768
MOST_OBJECTS = 256
MOST_TEXTS = 4_096
MOST_ESCAPES = 524_288
"""Some clients escape each slash of base64: a picture of 20 MiB has 437,000."""
LARGEST_REST = 64 * 1024
"""Bytes beside the data of one input."""
LONGEST_NUMBER = 64
LARGEST = 64 * 1024 * 1024
"""Bytes of the JSON: 32 tensors, each value with the nine digits that float32 needs."""
_PIECE = 64 * 1024
_ESCAPE = re.compile(rb"\\.", re.DOTALL)
_TEXT = re.compile(rb'"[^"]*"')
_PUNCTUATION = b'[]{},:"'
_OTHERS = bytes(byte for byte in range(256) if byte not in _PUNCTUATION)
_DATA = re.compile(rb'"data"[ \t\r\n]*:[ \t\r\n]*(\[[][0-9eE+\-., \t\r\n]*\])')
_BRACKETS = str.maketrans("[]", "  ")
_BLANKS = str.maketrans("", "", " \t\r\n")
# A value or a list must not follow a value without a comma; numbers themselves are left to the parser.
_MISPLACED = re.compile(r"[0-9.\]][ \t\r\n]*\[|\][ \t\r\n]*[0-9\-]")


class InvalidInput(WorkerError):
    """The body is no inference request."""

    code = "INVALID_INPUT"


class TooLarge(WorkerError):
    """The JSON is larger than any request's."""

    code = "INPUT_TOO_LARGE"


@dataclass(frozen=True)
class Parsed:
    """``request`` is what json makes of it; where it holds ``mark``, the numbers are ``numbers``."""

    request: Any
    mark: str
    numbers: bytes | None

    def floats(self, data: Any, expected: int) -> array[float]:
        """float32 values of a tensor's data, flat or nested. Raises BadTensor."""
        return self._read(data, expected, "f")

    def pixels(self, data: Any, expected: int) -> array[int]:
        """uint8 values, likewise."""
        return self._read(data, expected, "B")

    def _read(self, data: Any, expected: int, kind: str) -> array[Any]:
        if data != self.mark or self.numbers is None:
            raise BadTensor(f"data is no list of {expected} numbers")
        commas = self.numbers.count(b",")
        if commas + 1 != expected:
            raise BadTensor(f"data has {commas + 1} values, expected {expected}")
        values: array[Any] = array(kind)
        for piece in _pieces(self.numbers):
            if _MISPLACED.search(piece) is not None:
                raise BadTensor("data is no JSON")
            piece = piece.translate(_BRACKETS)
            if max(map(len, piece.translate(_BLANKS).split(","))) > LONGEST_NUMBER:
                raise BadTensor(f"data holds a number of more than {LONGEST_NUMBER} characters")
            try:
                read = json.loads(f"[{piece}]")
                values.extend(array(kind, read))
            except (ValueError, TypeError, OverflowError) as error:
                raise BadTensor(f"data holds what the datatype has not: {error}") from None
        if len(values) != expected:
            raise BadTensor(f"data has {len(values)} values, expected {expected}")
        return values


def parse(body: bytes, most_values: int) -> Parsed:
    """The request in a body of JSON. Raises InvalidInput or TooLarge."""
    if len(body) > LARGEST:
        raise TooLarge(f"the JSON of the request has more than {LARGEST} bytes")
    _check(body, most_values)
    mark = secrets.token_hex(16)
    found = max(_DATA.finditer(body), key=lambda match: len(match[1]), default=None)
    rest, numbers = body, None
    if found is not None:
        start, end = found.span(1)
        numbers = body[start:end]
        if not _is_closed(numbers):
            raise InvalidInput("not an inference request: its data is no JSON")
        rest = b"".join([body[:start], b'"', mark.encode(), b'"', body[end:]])
    # Texts are pictures, which may be large; numbers beside the data may not.
    if len(_TEXT.sub(b"", _ESCAPE.sub(b"", rest))) > LARGEST_REST:
        raise InvalidInput(f"it has more than {LARGEST_REST} bytes beside the data of one input")
    try:
        return Parsed(json.loads(rest, parse_constant=_refuse), mark, numbers)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"not an inference request: {error}") from None


def encoded(element: Any) -> bytes:
    """A picture in a list of BYTES: base64, plain or as ``{"b64": text}``. Raises BadTensor."""
    if isinstance(element, dict) and len(cast("dict[str, Any]", element)) == 1:
        element = cast("dict[str, Any]", element).get("b64")
    if not isinstance(element, str):
        raise BadTensor("an element of BYTES is no text in base64")
    return decoded(element)


def decoded(text: str) -> bytes:
    """The bytes of base64, with or without its padding. Raises BadTensor."""
    plain = text.strip().rstrip("=").replace("-", "+").replace("_", "/")
    try:
        data = base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except (ValueError, binascii.Error):
        raise BadTensor("an element of BYTES is not base64") from None
    if not data:
        raise BadTensor("an element of BYTES is empty")
    return data


def _check(body: bytes, most_values: int) -> None:
    """Counts what stands outside of texts, by functions of C: a loop over all bytes would take seconds."""
    if body.count(b"\\") > MOST_ESCAPES:
        raise InvalidInput(f"it has more than {MOST_ESCAPES} escapes")
    plain = _ESCAPE.sub(b"", body) if b"\\" in body else body
    marks = plain.translate(None, _OTHERS)
    if marks.count(b'"') > 2 * MOST_TEXTS:
        raise InvalidInput(f"it has more than {MOST_TEXTS} texts")
    marks = _TEXT.sub(b"", marks)
    for sign, most, what in (
        (b"[", MOST_LISTS, "lists"),
        (b"{", MOST_OBJECTS, "objects"),
        (b",", most_values, "values"),
    ):
        if marks.count(sign) > most:
            raise InvalidInput(f"it has more than {most} {what}")
    depth = 0
    for byte in marks.translate(None, b',:"'):
        depth += 1 if byte in b"[{" else -1
        if depth > DEEPEST:
            raise InvalidInput(f"it is nested more than {DEEPEST} levels deep")


def _is_closed(numbers: bytes) -> bool:
    """Whether the first bracket is closed by the last, and by none before."""
    depth = 0
    brackets = numbers.translate(None, b"0123456789eE+-., \t\r\n")
    for at, byte in enumerate(brackets):
        depth += 1 if byte == ord("[") else -1
        if depth <= 0 and at < len(brackets) - 1:
            return False
    return depth == 0


def _pieces(data: bytes) -> Iterator[str]:
    """Its parts between commas far enough apart."""
    at = 0
    while at < len(data):
        end = len(data)
        if at + _PIECE < end:
            comma = data.rfind(b",", at + 1, at + _PIECE)
            comma = comma if comma != -1 else data.find(b",", at + _PIECE)
            end = comma if comma != -1 else end
        yield data[at:end].decode("ascii")
        at = end + 1


def _refuse(word: str) -> Any:
    raise ValueError(f"{word} is no value of JSON")


def texts(data: Any, count: int) -> list[bytes]:
    """The bytes of ``count`` texts, in a list or in lists of one. Raises BadTensor for another number."""
    elements: list[Any] = []
    for element in cast("list[Any]", data) if isinstance(data, list) else []:
        elements += cast("list[Any]", element) if isinstance(element, list) else [element]
    if len(elements) != count:
        raise BadTensor(f"data has {len(elements)} elements, expected {count}")
    return [encoded(element) for element in elements]


def elements(data: memoryview, count: int) -> list[bytes]:
    """The same of binary data: each after its length, 32 bits. Raises BadTensor as ``texts``."""
    elements: list[bytes] = []
    at = 0
    while at + 4 <= len(data) and len(elements) < count:
        (length,) = struct.unpack_from("<I", data, at)
        elements.append(bytes(data[at + 4 : at + 4 + length]))
        at += 4 + length
    if len(elements) != count or at != len(data):
        raise BadTensor(f"the binary data does not hold exactly {count} elements")
    return elements
