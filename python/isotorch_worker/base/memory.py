"""How much memory this process has in RAM, as its system tells it."""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path
from typing import Any

_PROC_PIDTASKINFO = 4


class _Counters(ctypes.Structure):
    """PROCESS_MEMORY_COUNTERS of Windows' psapi.h; sizes in bytes."""

    _fields_ = (
        ("size", ctypes.c_uint32),
        ("page_faults", ctypes.c_uint32),
        ("peak_working_set", ctypes.c_size_t),
        ("working_set", ctypes.c_size_t),
        ("quotas", ctypes.c_size_t * 4),
        ("page_file", ctypes.c_size_t),
        ("peak_page_file", ctypes.c_size_t),
    )


class _TaskInfo(ctypes.Structure):
    """proc_taskinfo of macOS' sys/proc_info.h; sizes in bytes."""

    _fields_ = (
        ("virtual", ctypes.c_uint64),
        ("resident", ctypes.c_uint64),
        ("times", ctypes.c_uint64 * 4),
        ("counts", ctypes.c_int32 * 12),
    )


def resident_kib() -> int | None:
    """KiB of this process that are in RAM; None where the system does not tell.

    Linux: /proc/self/statm. Windows: the working set. macOS: the resident size of the task.
    """
    try:
        if sys.platform == "win32":
            return from_windows(ctypes.WinDLL("kernel32", use_last_error=True))
        if sys.platform == "darwin":
            return from_macos(ctypes.CDLL(None, use_errno=True))
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") // 1024
    except (OSError, AttributeError, ValueError, IndexError):
        return None


def from_windows(kernel: Any) -> int:
    """``resident_kib`` by ``kernel``'s ``K32GetProcessMemoryInfo``. Raises OSError."""
    current = kernel.GetCurrentProcess
    current.restype = ctypes.c_void_p
    current.argtypes = []
    tell = kernel.K32GetProcessMemoryInfo
    tell.restype = ctypes.c_int
    tell.argtypes = [ctypes.c_void_p, ctypes.POINTER(_Counters), ctypes.c_uint32]
    counters = _Counters(size=ctypes.sizeof(_Counters))
    if not tell(current(), ctypes.byref(counters), counters.size):
        raise OSError("K32GetProcessMemoryInfo failed")
    return int(counters.working_set) // 1024


def from_macos(system: Any) -> int:
    """``resident_kib`` by libproc's ``proc_pidinfo``. Raises OSError."""
    tell = system.proc_pidinfo
    tell.restype = ctypes.c_int
    tell.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_uint64, ctypes.c_void_p, ctypes.c_int]
    info = _TaskInfo()
    size = ctypes.sizeof(info)
    if tell(os.getpid(), _PROC_PIDTASKINFO, 0, ctypes.byref(info), size) != size:
        raise OSError("proc_pidinfo failed")
    return int(info.resident) // 1024
