"""Who may do something now: one process at a time, by a file that both languages read.

Twin of src/base/files/lock.ts. The lock is the file's existence. Its content is JSON: ``pid``, ``host``, a
random ``token``, and what tells the process from every other one (``boot``, ``space``, ``started``, see
owner.py); its owner touches it every five seconds. It is left behind when its owner is gone, however long an
owner that is there has been stopped. Where nobody here can know that (another machine, another container,
another account), it is left behind when it was not touched for a minute.
"""

from __future__ import annotations

import errno
import json
import os
import threading
import time
import uuid
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from isotorch_worker.base.files import remove_file, until_free
from isotorch_worker.base.owner import Owner, is_running, this_process

STALE_SECONDS = 60.0
_TOUCH_SECONDS = 5.0
# A lock is created and then filled; an empty one this young is being filled.
_FILLING_SECONDS = 5.0
_POLL_SECONDS = 0.25
_NO_ROOM = {errno.ENOSPC, errno.EIO, getattr(errno, "EDQUOT", errno.ENOSPC)}


class FileLock:
    """A lock that is held. Releasing it twice is harmless."""

    def __init__(self, file: Path, content: str) -> None:
        self._file = file
        self._content = content
        self._released = threading.Event()
        threading.Thread(target=self._touch, name="lock", daemon=True).start()

    def is_mine(self) -> bool:
        """Whether it has not been taken away; asked by whoever may have been stopped for long."""
        return _read(self._file) == self._content

    def release(self) -> None:
        self._released.set()
        if self.is_mine():
            remove_file(self._file)

    def _touch(self) -> None:
        while not self._released.wait(_TOUCH_SECONDS):
            # What was taken away meanwhile is another one's.
            if self.is_mine():
                with suppress(OSError):
                    os.utime(self._file)


def try_lock(file: Path) -> FileLock | None:
    """Take the lock, or return None while another owner has it. Raises OSError if it cannot be written."""
    _sweep_if_stale(file)
    content = json.dumps({**this_process()._asdict(), "token": str(uuid.uuid4())})
    try:
        until_free(file, lambda: _create(file, content))
    except FileExistsError:
        return None
    return FileLock(file, content)


@contextmanager
def locked(file: Path) -> Generator[None, None, None]:
    """Wait for the lock and hold it. Raises OSError if the file cannot be written."""
    while (lock := try_lock(file)) is None:
        time.sleep(_POLL_SECONDS)
    try:
        yield
    finally:
        lock.release()


def _create(file: Path, content: str) -> None:
    try:
        with file.open("x", encoding="utf-8") as stream:
            stream.write(content)
    except OSError as error:
        # It was made, and then there was no room for what belongs into it.
        if error.errno in _NO_ROOM:
            with suppress(OSError):
                remove_file(file)
        raise


def _sweep_if_stale(file: Path) -> None:
    """Remove a stale lock, one sweeper at a time.

    Judging and removing must not be two steps that another sweeper, and then a fresh owner, can come between.
    """
    if not is_left_behind(file):
        return
    sweeping = file.with_name(file.name + ".sweep")
    try:
        sweeping.mkdir()
    except OSError:
        # A sweeper needs milliseconds; one that is this old died at it.
        if (_age(sweeping) or 0.0) > _FILLING_SECONDS:
            with suppress(OSError):
                sweeping.rmdir()
        return
    try:
        if is_left_behind(file):
            remove_file(file)
    finally:
        with suppress(OSError):
            sweeping.rmdir()


def is_left_behind(file: Path) -> bool:
    """Whether the file is a lock that its owner has left behind; False where there is none."""
    content, age = _read(file), _age(file)
    if age is None:
        return False
    if content is None:
        # Another account's, that may not be read: only its age tells.
        return age > STALE_SECONDS
    owner = _owner(content)
    if owner is None:
        return age > _FILLING_SECONDS
    running = is_running(owner)
    return age > STALE_SECONDS if running is None else not running


def _owner(content: str) -> Owner | None:
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict):
        return None
    pid, host = value.get("pid"), value.get("host")
    if not isinstance(pid, int) or isinstance(pid, bool) or pid <= 0 or not isinstance(host, str):
        return None
    return Owner(pid, host, *(_string(value.get(name)) for name in ("boot", "space", "started")))


def _string(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _read(file: Path) -> str | None:
    try:
        return file.read_text("utf-8", "replace")
    except OSError:
        return None


def _age(file: Path) -> float | None:
    try:
        return time.time() - file.stat().st_mtime
    except OSError:
        return None
