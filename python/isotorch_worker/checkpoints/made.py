"""Checkpoints that are made here: each is there whole, with its SHA-256 beside it, however many make it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Union

from isotorch_worker.base.files import whole, write_whole
from isotorch_worker.base.lock import is_left_behind, locked
from isotorch_worker.base.told import brief
from isotorch_worker.checkpoints.checkpoint import made_digest, sidecar
from isotorch_worker.protocol.errors import CheckpointCorrupt, WeightsNotFound

# The file's bytes, in parts of any size; asked for once it is certain that they are wanted.
Parts = Callable[[], Iterable[Union[bytes, memoryview]]]
# As `whole` names them.
_BEGUN = re.compile(r"^\.([^/]+\.(?:pth|safetensors))(?:\.sha256)?\.[0-9a-f]{32}$")


def make(path: Path, parts: Parts) -> str:
    """Make the checkpoint at ``path``, with ``path + ".sha256"`` beside it; returns the SHA-256.

    Both files appear whole or not at all, and processes that make the same file at once take turns. Raises
    WeightsNotFound if it cannot be written.
    """
    with _locked(path):
        return _make(path, parts)


def ensure(path: Path, parts: Parts) -> str:
    """The SHA-256 of the made checkpoint at ``path``, which is made if it is not there.

    Raises as ``make``, and CheckpointCorrupt if the file is there but its ``.sha256`` is not.
    """
    # Without the lock first: a shared cache may be read-only.
    known = made_digest(path)
    if known is not None:
        return known
    with _locked(path):
        known = made_digest(path)
        if known is None and path.exists():
            raise CheckpointCorrupt(
                f"{brief(path)} has no {brief(sidecar(path).name)} beside it",
                "delete the file, it will be made again",
            )
        return known or _make(path, parts)


def _make(path: Path, parts: Parts) -> str:
    _sweep(path)
    digest = hashlib.sha256()
    given = iter(parts())
    # What fails before the first part is no matter of files.
    first = next(given, b"")
    try:
        with whole(path) as stream:
            for part in _all(first, given):
                digest.update(part)
                stream.write(part)
            # In this order a process that is ended in between leaves nothing that looks like a whole one.
            write_whole(sidecar(path), f"{digest.hexdigest()}  {path.name}\n".encode())
    except OSError as error:
        raise _unwritable(path, error) from None
    return digest.hexdigest()


def _all(first: bytes | memoryview, others: Iterable[bytes | memoryview]) -> Iterable[bytes | memoryview]:
    yield first
    yield from others


def _sweep(path: Path) -> None:
    """Remove what makers that were killed had begun to write, up to gigabytes each."""
    with suppress(OSError):
        for file in list(path.parent.iterdir()):
            begun = _BEGUN.fullmatch(file.name)
            if begun is None:
                continue
            lock = path.with_name(f"{begun[1]}.lock")
            # Whoever makes this very file holds its lock, and has begun nothing yet.
            if begun[1] != path.name and lock.exists() and not is_left_behind(lock):
                continue
            with suppress(OSError):
                file.unlink()


def _unwritable(path: Path, error: OSError) -> WeightsNotFound:
    return WeightsNotFound(
        f"{brief(path)} cannot be written: {brief(error.strerror or error)}",
        f"Make {path.parent} a directory that can be written, or choose another: --cache-dir DIR "
        "(`cacheDir`), or the environment variable TORCH_HOME",
    )


@contextmanager
def _locked(path: Path) -> Generator[None, None, None]:
    """Hold ``path + ".lock"``, waiting for whoever makes or downloads the same file."""
    waiting = locked(path.with_name(path.name + ".lock"))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        waiting.__enter__()
    except OSError as error:
        raise _unwritable(path, error) from None
    try:
        yield
    finally:
        waiting.__exit__(None, None, None)
