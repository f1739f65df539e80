"""The ZIP archives that torch.save writes: where each record lies, and that the archive is sound."""

from __future__ import annotations

import io
import struct
import zipfile
from typing import NamedTuple

from isotorch_worker.base.told import brief
from isotorch_worker.checkpoints.recognise import SAVE_AGAIN, recognised_archive
from isotorch_worker.protocol.errors import CheckpointCorrupt, CheckpointMismatch

_MAGIC = b"PK\x03\x04"
# An entry of the directory becomes an object ten times its size: room for some ten thousand tensors.
_MOST_AT_ONCE = 4 * 1024 * 1024
_LOCAL_HEADER = struct.Struct("<4s2xHH8xIIHH")
# In a local header: the size is said after the data, or in a field for large files.
_SIZE_ELSEWHERE = (0, 2**32 - 1)


class Record(NamedTuple):
    """Where the bytes of a file in an archive are."""

    offset: int
    size: int


def is_archive(data: memoryview) -> bool:
    """Whether torch.save of PyTorch 1.6 or later wrote this."""
    return bytes(data[: len(_MAGIC)]) == _MAGIC


def records(data: memoryview, checksums: bool = True, title: str = "the checkpoint") -> dict[str, Record]:
    """The records of a checkpoint by name, without the leading folder; ``checksums`` compares these too.

    Raises CheckpointCorrupt for an archive that is damaged, and for one whose records overlap, come twice or
    are not where its directory says; CheckpointMismatch for one that is not torch.save's.
    """
    try:
        with zipfile.ZipFile(_Readable(data)) as archive:
            entries = archive.infolist()
            _check_kind(entries, title)
            found = _located(data, entries)
            damaged = archive.testzip() if checksums else None
    except (zipfile.BadZipFile, ValueError, NotImplementedError, EOFError, OSError, RuntimeError) as error:
        raise CheckpointCorrupt(f"{brief(title)} is cut short or damaged: {brief(error)}") from None
    if damaged is not None:
        raise CheckpointCorrupt(f"{brief(title)} is damaged: the checksum of {brief(damaged)} is wrong")
    return found


def _check_kind(entries: list[zipfile.ZipInfo], title: str) -> None:
    names = [entry.filename for entry in entries]
    ends = {name.partition("/")[2] for name in names}
    if "data.pkl" not in ends or "constants.pkl" in ends:
        what, hint = recognised_archive(names)
        raise CheckpointMismatch(f"{brief(title)} is {what}", hint)
    # torch.save never compresses; an archive that does may be a bomb.
    if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
        raise CheckpointMismatch(
            f"{brief(title)} is a compressed archive, expected what torch.save writes", SAVE_AGAIN
        )


def _located(data: memoryview, entries: list[zipfile.ZipInfo]) -> dict[str, Record]:
    found: dict[str, Record] = {}
    end, before = 0, ""
    for entry in sorted(entries, key=lambda entry: entry.header_offset):
        name = entry.filename.partition("/")[2]
        if name in found:
            raise zipfile.BadZipFile(f"{entry.filename} is there twice")
        if entry.header_offset < end:
            raise zipfile.BadZipFile(f"{before} reaches into its neighbour")
        record = _record(data, entry)
        found[name] = record
        end, before = record.offset + record.size, name
    return found


def _record(data: memoryview, entry: zipfile.ZipInfo) -> Record:
    """Where ``entry`` lies, if its local header agrees with the directory."""
    start = entry.header_offset + _LOCAL_HEADER.size
    if not _LOCAL_HEADER.size <= start <= len(data):
        raise zipfile.BadZipFile(f"{entry.filename} is beyond the end")
    magic, flags, method, packed, size, name_bytes, extra_bytes = _LOCAL_HEADER.unpack(
        data[entry.header_offset : start]
    )
    name = bytes(data[start : start + name_bytes]).decode("utf-8", "replace")
    same_size = all(said in (entry.file_size, *_SIZE_ELSEWHERE) for said in (packed, size))
    encrypted = (flags | entry.flag_bits) & 1
    if magic != _MAGIC or method != 0 or encrypted or name != entry.orig_filename or not same_size:
        raise zipfile.BadZipFile(f"{entry.filename} is not what the directory says")
    offset = start + name_bytes + extra_bytes
    if entry.file_size != entry.compress_size or offset + entry.file_size > len(data):
        raise zipfile.BadZipFile(f"{entry.filename} is longer than the file")
    return Record(offset, entry.file_size)


class _Readable(io.RawIOBase):
    """``data`` as a seekable file, without the copy that io.BytesIO makes of a bytearray."""

    def __init__(self, data: memoryview) -> None:
        self._view = data
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = 0) -> int:
        start = (0, self._position, len(self._view))[whence]
        if start + offset < 0:
            raise ValueError("negative seek position")
        self._position = start + offset
        return self._position

    def read(self, size: int | None = -1, /) -> bytes:
        rest = max(len(self._view) - self._position, 0)
        count = rest if size is None or size < 0 else min(size, rest)
        if count > _MOST_AT_ONCE:
            raise ValueError(f"its directory has {count} bytes")
        part = bytes(self._view[self._position : self._position + count])
        self._position += count
        return part
