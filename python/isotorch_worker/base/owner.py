"""Which process it is that owns a file, and whether it still runs. Twin of src/base/files/owner.ts."""

from __future__ import annotations

import os
import socket
import sys
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple


class Owner(NamedTuple):
    """A process, told from every other one as far as its system says so."""

    pid: int
    host: str
    boot: str | None = None
    """Linux's id of the time since the machine was started."""
    space: str | None = None
    """Linux's name for the set of processes in which the pid counts: a container has its own."""
    started: str | None = None
    """Clock ticks from the machine's start to the process's: a later one of its number has others."""


def this_process() -> Owner:
    """This process."""
    pid = os.getpid()
    boot = _text(Path("/proc/sys/kernel/random/boot_id"))
    # Where /proc is that of other processes, it says nothing of this one.
    seen = _state(pid) if _link("/proc/self") == str(pid) else None
    return Owner(
        pid,
        socket.gethostname(),
        None if boot is None else boot.strip(),
        _link("/proc/self/ns/pid"),
        None if seen is None else seen[0],
    )


def is_running(owner: Owner) -> bool | None:
    """Whether it runs, be it stopped; None where nobody here can know."""
    here = this_process()
    if (owner.host, owner.boot, owner.space) != (here.host, here.boot, here.space):
        return None
    if not is_alive(owner.pid):
        return False
    seen = None if owner.started is None else _state(owner.pid)
    # Its number may have been given to another one since.
    if seen is None:
        return None
    started, is_over = seen
    return started == owner.started and not is_over


def _state(pid: int) -> tuple[str, bool] | None:
    """When a process was started, and whether it has ended and its parent has not asked how."""
    line = _text(Path(f"/proc/{pid}/stat"))
    # The second field is a name in brackets, in which there may be anything.
    fields = (line or "").rpartition(")")[2].split()
    return (fields[19], fields[0] in "ZX") if len(fields) > 19 else None


def _text(file: Path) -> str | None:
    try:
        return file.read_text("latin-1")
    except OSError:
        return None


def _link(path: str) -> str | None:
    # What a system without such links says of them is not always an OSError.
    with suppress(OSError, NotImplementedError, AttributeError):
        return str(Path(path).readlink())
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
