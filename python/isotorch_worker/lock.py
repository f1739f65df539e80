"""Who may do something now: one process at a time, by a file that both languages read.

Twin of src/base/lock.ts. The lock is the file's existence. Its content is JSON: ``pid``, ``host`` and a
random ``token``; its owner touches it every five seconds. It is left behind when its owner is gone from this
machine, or has not touched it for a minute.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
import time
import uuid
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from isotorch_worker.files import remove_file, until_free

STALE_SECONDS = 60.0
_TOUCH_SECONDS = 5.0
# A lock is created and then filled; an empty one this young is being filled.
_FILLING_SECONDS = 5.0
_POLL_SECONDS = 0.25


class FileLock:
    """A lock that is held. Releasing it twice is harmless."""

    def __init__(self, file: Path, content: str) -> None:
        self._file = file
        self._content = content
        self._released = threading.Event()
        threading.Thread(target=self._touch, name="lock", daemon=True).start()

    def release(self) -> None:
        self._released.set()
        if _read(self._file) == self._content:
            remove_file(self._file)

    def _touch(self) -> None:
        while not self._released.wait(_TOUCH_SECONDS):
            with suppress(OSError):
                os.utime(self._file)


def try_lock(file: Path) -> FileLock | None:
    """Take the lock, or return None while another owner lives. Raises OSError if it cannot be written."""
    _sweep_if_stale(file)
    content = json.dumps({"pid": os.getpid(), "host": socket.gethostname(), "token": str(uuid.uuid4())})
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
    with file.open("x", encoding="utf-8") as stream:
        stream.write(content)


def _sweep_if_stale(file: Path) -> None:
    """Remove a stale lock, one sweeper at a time.

    Judging and removing must not be two steps that another sweeper, and then a fresh owner, can come between.
    """
    if not _is_stale(file):
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
        if _is_stale(file):
            remove_file(file)
    finally:
        with suppress(OSError):
            sweeping.rmdir()


def _is_stale(file: Path) -> bool:
    content, age = _read(file), _age(file)
    if age is None:
        return False
    if content is None:
        # Another account's, that may not be read: only its age tells.
        return age > STALE_SECONDS
    owner = _owner(content)
    if owner is None:
        return age > _FILLING_SECONDS
    pid, host = owner
    return age > STALE_SECONDS or (host == socket.gethostname() and not is_alive(pid))


def _owner(content: str) -> tuple[int, str] | None:
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        return None
    pid, host = (value.get("pid"), value.get("host")) if isinstance(value, dict) else (None, None)
    if isinstance(pid, int) and not isinstance(pid, bool) and pid > 0 and isinstance(host, str):
        return pid, host
    return None


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


if sys.platform == "win32":
    import ctypes
    from ctypes import wintypes

    _QUERY_LIMITED_INFORMATION = 0x1000
    _STILL_ACTIVE = 259
    _ACCESS_DENIED = 5

    def is_alive(pid: int) -> bool:
        """Whether a process runs. ``os.kill(pid, 0)`` would end it here."""
        kernel = ctypes.WinDLL("kernel32", use_last_error=True)
        kernel.OpenProcess.argtypes = [wintypes.DWORD, wintypes.BOOL, wintypes.DWORD]
        kernel.OpenProcess.restype = wintypes.HANDLE
        kernel.GetExitCodeProcess.argtypes = [wintypes.HANDLE, ctypes.POINTER(wintypes.DWORD)]
        kernel.CloseHandle.argtypes = [wintypes.HANDLE]
        handle = kernel.OpenProcess(_QUERY_LIMITED_INFORMATION, False, pid)
        if not handle:
            return ctypes.get_last_error() == _ACCESS_DENIED
        code = wintypes.DWORD()
        try:
            return bool(kernel.GetExitCodeProcess(handle, ctypes.byref(code))) and code.value == _STILL_ACTIVE
        finally:
            kernel.CloseHandle(handle)

else:

    def is_alive(pid: int) -> bool:
        """Whether a process runs."""
        try:
            os.kill(pid, 0)
        except PermissionError:
            return True
        except (OSError, OverflowError):
            return False
        return True
