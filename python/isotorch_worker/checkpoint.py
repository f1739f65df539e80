"""Checkpoint files as bytes: read once, hashed, and looked at from outside before anything unpickles them."""

from __future__ import annotations

import hashlib
import io
import mmap
import os
import stat
import struct
import threading
import weakref
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from isotorch_worker.errors import CheckpointCorrupt, CheckpointUntrusted, WeightsNotFound, WorkerError

MAX_BYTES = 4 * 1024**3
# Each chunk waits for the interpreter twice, and another thread imports torch meanwhile.
_CHUNK = 16 * 1024 * 1024
_ZIP = b"PK\x03\x04"
# Protocol 2, then the first eleven bytes of the magic number that torch.save wrote before version 1.6.
_LEGACY = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19"


class CheckpointReader:
    """Reads and hashes one file on its own thread, so that importing torch can go on meanwhile."""

    def __init__(self, path: Path, sha256: str | None, trust: bool) -> None:
        self.fraction = 0.0
        self._outcome: tuple[memoryview, str] | BaseException | None = None
        self._arguments = (path, sha256, trust)
        self._thread = threading.Thread(target=self._run, name="checkpoint", daemon=True)
        self._thread.start()

    def wait(self, seconds: float) -> bool:
        """Wait for the end, at most ``seconds``; whether it has come."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def result(self) -> tuple[memoryview, str]:
        """The file's bytes and its SHA-256 as hex. Raises what ``read_checkpoint`` raises."""
        self._thread.join()
        outcome, self._outcome = self._outcome, None
        if isinstance(outcome, BaseException):
            raise outcome
        if outcome is None:
            raise RuntimeError("the checkpoint was handed over already")
        return outcome

    def _run(self) -> None:
        path, sha256, trust = self._arguments
        try:
            self._outcome = read_checkpoint(path, sha256, trust, self._report)
        except BaseException as error:
            self._outcome = error

    def _report(self, fraction: float) -> None:
        self.fraction = fraction


def made_digest(path: Path) -> str | None:
    """The SHA-256 noted when the untrained checkpoint at ``path`` was made; None where there is none."""
    try:
        digest = sidecar(path).read_text("ascii").split()[0]
    except (OSError, ValueError, IndexError):
        return None
    return digest if path.exists() else None


def sidecar(path: Path) -> Path:
    """Where the SHA-256 of a made checkpoint is noted."""
    return path.with_name(path.name + ".sha256")


def read_checkpoint(
    path: Path, sha256: str | None, trust: bool, report: Callable[[float], None] = lambda _: None
) -> tuple[memoryview, str]:
    """Read a ``.pth`` file into memory and verify it; returns its bytes and its SHA-256 as hex.

    ``sha256`` is the expected digest or its first digits, at least eight. What is verified is what is
    returned: the file is not opened a second time. ``report`` is given the fraction read, 0 to 1.

    Raises WeightsNotFound, CheckpointUntrusted (neither ``sha256`` nor ``trust``) or CheckpointCorrupt.
    """
    data, digest = _read(path, sha256 is None and not trust, report)
    _check_kind(path, data)
    if sha256 is not None and not digest.startswith(sha256):
        raise CheckpointCorrupt(
            f"{path} has the SHA-256 {digest}, expected {sha256}",
            "delete the file and let it be downloaded or made again",
        )
    if is_archive(data):
        # The full digest has covered every byte; a shorter one or none has not.
        _check_archive(path, data, checksums=sha256 is None or len(sha256) < 64)
    return data, digest


def _read(path: Path, untrusted: bool, report: Callable[[float], None]) -> tuple[memoryview, str]:
    try:
        # Without O_NONBLOCK opening a FIFO would wait for a writer.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except FileNotFoundError:
        raise WeightsNotFound(f"there is no checkpoint at {path}") from None
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from None
    try:
        size = _size_of(path, descriptor, untrusted)
        with os.fdopen(descriptor, "rb", buffering=0, closefd=False) as file:
            return _read_hashing(file, size, report)
    except OSError as error:
        raise _unreadable(path, error) from None
    finally:
        os.close(descriptor)


def _size_of(path: Path, descriptor: int, untrusted: bool) -> int:
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        kind = "a directory" if stat.S_ISDIR(status.st_mode) else "not a regular file"
        raise CheckpointCorrupt(f"{path} is {kind}, expected a .pth file")
    if untrusted:
        raise CheckpointUntrusted(
            f"{path} came without a SHA-256",
            "give its SHA-256, or trustCheckpoint: true if you made the file",
        )
    if not 0 < status.st_size <= MAX_BYTES:
        raise CheckpointCorrupt(f"{path} has {status.st_size} bytes")
    return status.st_size


def _read_hashing(file: io.FileIO, size: int, report: Callable[[float], None]) -> tuple[memoryview, str]:
    data = memoryview(anonymous(size))
    digest = hashlib.sha256()
    position = 0
    while position < size:
        count = file.readinto(data[position : position + _CHUNK])
        if not count:
            break
        digest.update(data[position : position + count])
        position += count
        report(position / size)
    return data[:position], digest.hexdigest()


def anonymous(size: int) -> mmap.mmap:
    """Memory that begins at a page, as tensors in it want, and that nobody fills with zeros first.

    Not in huge pages: where memory is scattered, making one stops every other thread that asks for memory.
    """
    # Private, because shared memory would outlive what is given back of it.
    private = {"flags": mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS} if hasattr(mmap, "MAP_PRIVATE") else {}
    return mmap.mmap(-1, size, **private)


def _unreadable(path: Path, error: Exception) -> WorkerError:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return WeightsNotFound(f"{path} cannot be read: {reason}")


def _check_kind(path: Path, data: memoryview) -> None:
    if is_archive(data) or data[: len(_LEGACY)] == _LEGACY:
        return
    if bytes(data[:256]).lstrip().startswith(b"<"):
        raise CheckpointCorrupt(
            f"{path} is a web page, not a checkpoint",
            "download the file again; the server sent an error page",
        )
    raise CheckpointCorrupt(f"{path} is not a PyTorch checkpoint", "expected what torch.save writes")


def _check_archive(path: Path, data: memoryview, checksums: bool) -> None:
    try:
        with zipfile.ZipFile(_Readable(data)) as archive:
            entries = archive.infolist()
            damaged = archive.testzip() if checksums else None
    except (zipfile.BadZipFile, ValueError, NotImplementedError, EOFError, OSError, RuntimeError) as error:
        raise CheckpointCorrupt(f"{path} is cut short or damaged: {error}") from None
    if damaged is not None:
        raise CheckpointCorrupt(f"{path} is damaged: the checksum of {damaged} is wrong")
    # torch.load hands TorchScript, which holds code, to another loader than the restricted one.
    if any(entry.filename.endswith("constants.pkl") for entry in entries):
        raise CheckpointCorrupt(f"{path} is a TorchScript archive", "save model.state_dict() instead")
    # torch.save never compresses; an archive that does is no checkpoint and may be a bomb.
    if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
        raise CheckpointCorrupt(f"{path} is a compressed archive, expected what torch.save writes")


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

    def readinto(self, buffer: memoryview) -> int:  # pyright: ignore[reportIncompatibleMethodOverride]
        part = self._view[self._position : self._position + len(buffer)]
        buffer[: len(part)] = part
        self._position += len(part)
        return len(part)


class Record(NamedTuple):
    """Where the bytes of a file in an archive are."""

    offset: int
    size: int


def is_archive(data: memoryview) -> bool:
    """Whether torch.save of PyTorch 1.6 or later wrote this."""
    return data[: len(_ZIP)] == _ZIP


def records(data: memoryview) -> dict[str, Record]:
    """The files of an archive that nothing compresses, by name without the leading folder.

    Raises BadZipFile for two of the same name, or where one lies within another.
    """
    found: dict[str, Record] = {}
    with zipfile.ZipFile(_Readable(data)) as archive:
        for entry in archive.infolist():
            name = entry.filename.partition("/")[2]
            if name in found:
                raise zipfile.BadZipFile(f"{entry.filename} is there twice")
            # The local header: thirty bytes that end with the lengths of the name and of the padding.
            lengths = data[entry.header_offset + 26 : entry.header_offset + 30]
            name_bytes, extra_bytes = struct.unpack("<HH", lengths)
            found[name] = Record(entry.header_offset + 30 + name_bytes + extra_bytes, entry.file_size)
    in_order = sorted(found.items(), key=lambda item: item[1].offset)
    for (name, before), (_, after) in zip(in_order, in_order[1:]):
        if before.offset + before.size > after.offset:
            raise zipfile.BadZipFile(f"{name} reaches into its neighbour")
    return found


def lend(data: memoryview, record: Record) -> memoryview:
    """The bytes of ``record`` in what ``read_checkpoint`` returned.

    Once ``data`` itself is let go, the system gets a record's memory back as soon as nobody views it any
    more, instead of with the last record: whoever copies the weights one by one never holds them twice.
    Lend a record only once, and keep no other view of ``data``.
    """
    part = data[record.offset : record.offset + record.size]
    pages = data.obj
    # The pages that no neighbour has a share in.
    start = -(-record.offset // mmap.PAGESIZE) * mmap.PAGESIZE
    length = (record.offset + record.size) // mmap.PAGESIZE * mmap.PAGESIZE - start
    if isinstance(pages, mmap.mmap) and length > 0 and hasattr(mmap, "MADV_DONTNEED"):
        weakref.finalize(part, _give_back, pages, start, length, weakref.ref(data)).atexit = False
    return part


def _give_back(pages: mmap.mmap, start: int, length: int, whole: Callable[[], memoryview | None]) -> None:
    if whole() is None:
        pages.madvise(mmap.MADV_DONTNEED, start, length)


def as_file(data: memoryview) -> io.BufferedReader:
    """``data`` as a binary file for torch.load."""
    return io.BufferedReader(_Readable(data))
