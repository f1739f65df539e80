"""Checkpoint files as bytes: read once, hashed, and compared with what is expected before they are parsed."""

from __future__ import annotations

import hashlib
import io
import mmap
import os
import stat
import threading
from collections.abc import Callable
from pathlib import Path

from isotorch_worker.base.told import brief
from isotorch_worker.checkpoints.reader import Contents, is_checkpoint, read_contents
from isotorch_worker.checkpoints.recognise import recognised
from isotorch_worker.protocol.errors import (
    CheckpointCorrupt,
    CheckpointMismatch,
    WeightsNotFound,
    WorkerError,
)

MAX_BYTES = 16 * 1024**3
"""torchvision's largest file has 2.46 GB; with an optimiser's state and an average of the network it is four
times as large. A file is in memory once, whole."""
# Each chunk waits for the interpreter twice, and another thread imports torch meanwhile.
_CHUNK = 16 * 1024 * 1024


class CheckpointReader:
    """Reads, hashes and parses one file on its own thread, so that importing torch can go on meanwhile."""

    def __init__(self, path: Path, sha256: str | None) -> None:
        self.fraction = 0.0
        self._outcome: tuple[Contents, str] | BaseException | None = None
        self._arguments = (path, sha256)
        self._thread = threading.Thread(target=self._run, name="checkpoint", daemon=True)
        self._thread.start()

    def wait(self, seconds: float) -> bool:
        """Wait for the end, at most ``seconds``; whether it has come."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def result(self) -> tuple[Contents, str]:
        """What the file holds and its SHA-256 as hex, once. Raises what ``read_checkpoint`` raises."""
        self._thread.join()
        outcome, self._outcome = self._outcome, None
        if isinstance(outcome, BaseException):
            raise outcome
        if outcome is None:
            raise RuntimeError("the checkpoint was handed over already")
        return outcome

    def _run(self) -> None:
        path, sha256 = self._arguments
        try:
            self._outcome = read_checkpoint(path, sha256, self._report)
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
    path: Path,
    sha256: str | None,
    report: Callable[[float], None] = lambda _: None,
) -> tuple[Contents, str]:
    """Read a checkpoint into memory, verify and parse it; returns what it holds and its SHA-256 as hex.

    ``sha256`` is the expected digest or its first digits, at least eight; without it the file is what it is.
    What is verified is what is returned: the file is not opened a second time. ``report`` is given the
    fraction read, 0 to 1. Nothing but descriptions is made of the file.

    Raises WeightsNotFound, CheckpointCorrupt for another digest and for what is damaged, and
    CheckpointMismatch for a file that is no checkpoint.
    """
    data, digest = _read(path, report)
    if sha256 is not None and not digest.startswith(sha256):
        found = None if is_checkpoint(data) else recognised(data)
        raise CheckpointCorrupt(
            f"{brief(path)} {f'is {found[0]}: it ' if found else ''}has the SHA-256 {digest}, "
            f"expected {brief(sha256)}",
            "delete the file and let it be downloaded or made again",
        )
    # The full digest has covered every byte; a shorter one or none has not.
    return read_contents(data, checksums=sha256 is None or len(sha256) < 64, name=str(path)), digest


def _read(path: Path, report: Callable[[float], None]) -> tuple[memoryview, str]:
    try:
        # Without O_NONBLOCK opening a FIFO would wait for a writer.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except FileNotFoundError:
        raise WeightsNotFound(f"there is no checkpoint at {brief(path)}") from None
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from None
    try:
        size = _size_of(path, descriptor)
        with os.fdopen(descriptor, "rb", buffering=0, closefd=False) as file:
            return _read_hashing(file, size, report)
    except OSError as error:
        raise _unreadable(path, error) from None
    finally:
        os.close(descriptor)


def _size_of(path: Path, descriptor: int) -> int:
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        kind = "a directory" if stat.S_ISDIR(status.st_mode) else "not a regular file"
        raise CheckpointCorrupt(f"{brief(path)} is {kind}, expected a checkpoint file")
    if status.st_size > MAX_BYTES:
        raise CheckpointMismatch(
            f"{brief(path)} has {status.st_size} bytes, more than the {MAX_BYTES >> 30} GiB that are read",
            "save the network's state dict without the optimiser's: torch.save(model.state_dict(), path)",
        )
    return status.st_size


def _read_hashing(file: io.FileIO, size: int, report: Callable[[float], None]) -> tuple[memoryview, str]:
    data = memoryview(_anonymous(size))
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


def _anonymous(size: int) -> mmap.mmap:
    """Memory that begins at a page, as tensors in it want, that nobody fills with zeros first, and that the
    system gets back when nobody has it any more.

    Not in huge pages: where memory is scattered, making one stops every other thread that asks for memory.
    """
    # Nothing has a page, too.
    size = max(size, 1)
    private = {"flags": mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS} if hasattr(mmap, "MAP_PRIVATE") else {}
    return mmap.mmap(-1, size, **private)


def _unreadable(path: Path, error: Exception) -> WorkerError:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return WeightsNotFound(f"{brief(path)} cannot be read: {brief(reason)}")
