"""Files that others read at the same moment: each is there whole, the old one or the new one.

Twin of src/base/files/files.ts.
"""

from __future__ import annotations

import errno
import os
import time
import uuid
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

PATIENCE_SECONDS = 20.0
_FIRST_WAIT_SECONDS = 0.01
_LONGEST_WAIT_SECONDS = 0.25
# What Windows answers while a scanner, an indexer or another reader holds the file.
_HELD = {errno.EPERM, errno.EACCES, errno.EBUSY}


def replace_file(source: Path, target: Path, patience: float = PATIENCE_SECONDS) -> None:
    """Rename a file over another one, which may exist; again and again while a scanner holds either."""
    until_free(target, lambda: source.replace(target), patience)


def remove_file(file: Path, patience: float = PATIENCE_SECONDS) -> None:
    """Remove a file, which may be gone already; tried again while somebody holds it."""
    until_free(file, lambda: file.unlink(missing_ok=True), patience)


def write_whole(file: Path, data: bytes | memoryview) -> None:
    """Write a file by way of a temporary one beside it. Raises OSError and leaves nothing behind then."""
    with whole(file) as stream:
        stream.write(data)


@contextmanager
def whole(file: Path) -> Generator[BinaryIO, None, None]:
    """A new file to write to, which takes the place of ``file`` at the end; where something raises, none."""
    # Not by tempfile, whose files no other account may read: a cache may be shared.
    temporary = file.with_name(f".{file.name}.{uuid.uuid4().hex}")
    try:
        with temporary.open("xb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        replace_file(temporary, file)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise


def until_free(file: Path, action: Callable[[], None], patience: float = PATIENCE_SECONDS) -> None:
    """Do what may fail because somebody holds ``file``, again and again for ``patience`` seconds.

    Raises the last OSError: at once where waiting cannot help (the directory cannot be written, a directory
    is in the way).
    """
    end = time.monotonic() + patience
    wait = _FIRST_WAIT_SECONDS
    while True:
        try:
            return action()
        except OSError as error:
            if time.monotonic() >= end or not _may_pass(error, file):
                raise
        time.sleep(wait)
        wait = min(2 * wait, _LONGEST_WAIT_SECONDS)


def _may_pass(error: OSError, file: Path) -> bool:
    # The same codes for what no waiting mends.
    return error.errno in _HELD and not file.is_dir() and os.access(file.parent, os.W_OK)
