"""Waiting for stdin without a read under way, which on Windows keeps other threads from descriptor 0."""

from __future__ import annotations

import ctypes
import os
import sys
import time
from ctypes import wintypes
from typing import Any

CHUNK_BYTES = 4096


def wait_for_stdin(pause_seconds: float) -> None:
    """Return when a read of stdin would return at once: something is there, or its other end is closed.

    On Windows alone, where a look is taken every ``pause_seconds``. A read that waits there holds the lock
    that the C runtime has for descriptor 0, and the system's lock of the pipe. The start of OpenBLAS asks for
    both (``fstat(0)``): an import of NumPy would not end before the read (numpy/numpy#24290). Elsewhere, and
    where stdin is no pipe, this returns at once and the read itself waits.

    Raises OSError if there is no stdin.
    """
    if sys.platform == "win32":
        import msvcrt

        kernel = ctypes.WinDLL("kernel32", use_last_error=True)
        wait_for_pipe(kernel, msvcrt.get_osfhandle(0), pause_seconds)


def wait_for_pipe(kernel: Any, handle: int, pause_seconds: float) -> None:
    """``wait_for_stdin`` for the handle of a pipe, by ``kernel``'s ``PeekNamedPipe``."""
    peek = kernel.PeekNamedPipe
    peek.restype = wintypes.BOOL
    peek.argtypes = [
        wintypes.HANDLE,
        wintypes.LPVOID,
        wintypes.DWORD,
        wintypes.LPDWORD,
        wintypes.LPDWORD,
        wintypes.LPDWORD,
    ]
    available = wintypes.DWORD()
    # It fails when the other end is closed, and of what is no pipe: the read that follows tells which.
    while peek(handle, None, 0, None, ctypes.byref(available), None) and available.value == 0:
        time.sleep(pause_seconds)


def read_to_end(pause_seconds: float) -> None:
    """Throw away what comes over stdin, until its other end is closed or it cannot be read."""
    try:
        while True:
            wait_for_stdin(pause_seconds)
            if not os.read(0, CHUNK_BYTES):
                return
    except OSError:
        return
