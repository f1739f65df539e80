"""The operations of a pickle one by one, with their arguments: read, and nothing made of them.

Every operation that torch.save writes is here, of every protocol and of Python 2; no other is. Without are
what text-only pickles have (torch refers to storages by a tuple, which protocol 0 cannot), the registry of
extensions, buffers outside the file, and DUP, which no pickler writes.
"""

from __future__ import annotations

import pickletools
import struct
from collections.abc import Callable, Iterator
from typing import Any

MOST_OPERATIONS = 1_000_000
"""A network of torchvision's with its optimiser's state has some thirty thousand."""
_NEWEST_PROTOCOL = 5
# In characters: of a number, whose digits take quadratic time, and of the name of a class.
_LONGEST_LINE = 400

_Read = Callable[[bytes, int], tuple[Any, int]]


class EndsEarlyError(ValueError):
    """There is less than the operation says."""


def operations(program: bytes) -> Iterator[tuple[str, Any, int]]:
    """Name, argument and end of each operation of a pickle, up to its STOP.

    Raises ValueError for one that torch.save never writes, and where there are too many.
    """
    at = 0
    for _ in range(MOST_OPERATIONS):
        if at >= len(program):
            raise EndsEarlyError("its pickle has no end")
        known = _OPERATIONS[program[at]]
        if known is None:
            raise ValueError(f"its pickle has {_unknown(program[at])}, which torch.save never writes")
        name, read = known
        try:
            argument, at = read(program, at + 1)
        except struct.error:
            raise EndsEarlyError("its pickle has no end") from None
        yield name, argument, at
        if name == "STOP":
            return
    raise ValueError(f"its pickle has more than {MOST_OPERATIONS} operations")


def _unknown(code: int) -> str:
    names = [operation.name for operation in pickletools.opcodes if ord(operation.code) == code]
    return f"the operation {names[0]}" if names else f"the byte {code}"


def _nothing(program: bytes, at: int) -> tuple[None, int]:  # noqa: ARG001
    return None, at


def _number(form: str) -> _Read:
    packed = struct.Struct(form)

    def read(program: bytes, at: int) -> tuple[Any, int]:
        return packed.unpack_from(program, at)[0], at + packed.size

    return read


def _counted(form: str, decode: Callable[[bytes], Any]) -> _Read:
    """What a count stands before."""
    number = _number(form)

    def read(program: bytes, at: int) -> tuple[Any, int]:
        count, start = number(program, at)
        if not 0 <= count <= len(program) - start:
            raise EndsEarlyError("its pickle has a value that is longer than the file")
        return decode(program[start : start + count]), start + count

    return read


def _line(decode: Callable[[bytes], Any]) -> _Read:
    def read(program: bytes, at: int) -> tuple[Any, int]:
        end = program.find(b"\n", at, at + _LONGEST_LINE)
        if end < 0:
            raise EndsEarlyError("its pickle has a line without end")
        return decode(program[at:end]), end + 1

    return read


def _global(program: bytes, at: int) -> tuple[tuple[str, str], int]:
    module, at = _name(program, at)
    name, at = _name(program, at)
    return (module, name), at


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogatepass")


def _byte_text(raw: bytes) -> str:
    """A ``str`` of Python 2: text as a rule, and sometimes the bytes of an array."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _long(raw: bytes) -> int:
    return int.from_bytes(raw, "little", signed=True)


def _int_line(raw: bytes) -> int:
    # So bools were written before there was an operation for them.
    return raw == b"01" if raw in (b"00", b"01") else int(raw)


def _long_line(raw: bytes) -> int:
    return int(raw[:-1] if raw.endswith(b"L") else raw)


def _protocol(program: bytes, at: int) -> tuple[int, int]:
    version, at = _number("B")(program, at)
    if version > _NEWEST_PROTOCOL:
        raise ValueError(f"its pickle has the unknown protocol {version}")
    return version, at


_name = _line(_text)
_WITHOUT_ARGUMENT = (
    "STOP MARK POP POP_MARK NONE NEWTRUE NEWFALSE EMPTY_TUPLE TUPLE TUPLE1 TUPLE2 TUPLE3 EMPTY_LIST LIST "
    "APPEND APPENDS EMPTY_DICT DICT SETITEM SETITEMS EMPTY_SET ADDITEMS FROZENSET MEMOIZE STACK_GLOBAL "
    "REDUCE BUILD OBJ NEWOBJ NEWOBJ_EX BINPERSID"
)
_BY_NAME: dict[str, _Read] = {
    **dict.fromkeys(_WITHOUT_ARGUMENT.split(), _nothing),
    "PROTO": _protocol,
    "FRAME": _number("<Q"),
    "BININT": _number("<i"),
    "BININT1": _number("<B"),
    "BININT2": _number("<H"),
    "LONG1": _counted("<B", _long),
    "BINFLOAT": _number(">d"),
    "INT": _line(_int_line),
    "LONG": _line(_long_line),
    "FLOAT": _line(float),
    "BINUNICODE": _counted("<I", _text),
    "SHORT_BINUNICODE": _counted("<B", _text),
    "BINUNICODE8": _counted("<Q", _text),
    "BINSTRING": _counted("<i", _byte_text),
    "SHORT_BINSTRING": _counted("<B", _byte_text),
    "BINBYTES": _counted("<I", bytes),
    "SHORT_BINBYTES": _counted("<B", bytes),
    "BINBYTES8": _counted("<Q", bytes),
    "BYTEARRAY8": _counted("<Q", bytes),
    "GET": _line(int),
    "BINGET": _number("<B"),
    "LONG_BINGET": _number("<I"),
    "PUT": _line(int),
    "BINPUT": _number("<B"),
    "LONG_BINPUT": _number("<I"),
    "GLOBAL": _global,
    "INST": _global,
}
_OPERATIONS: list[tuple[str, _Read] | None] = [None] * 256
for _operation in pickletools.opcodes:
    if _operation.name in _BY_NAME:
        _OPERATIONS[ord(_operation.code)] = (_operation.name, _BY_NAME[_operation.name])
