"""What a process says of its memory: asked of this system, and of two that are put in its place."""

from __future__ import annotations

import ctypes
import os
import sys
from types import SimpleNamespace

import pytest

from isotorch_worker.base import memory


def test_a_hundred_mebibytes_more_are_seen():
    before = memory.resident_kib()
    held = bytearray(os.urandom(1024)) * (100 * 1024)
    after = memory.resident_kib()
    assert before is not None
    assert after is not None
    # The kernel counts in portions, and somebody else's memory may have gone meanwhile.
    assert 80 * 1024 < after - before < 150 * 1024
    del held


def test_windows_is_asked_with_the_size_of_its_own_structure():
    def tell(process, counters, size):
        assert process == 99
        # 72 bytes where a pointer has 8.
        assert (
            size
            == ctypes.sizeof(counters._obj)
            == counters._obj.size
            == 8 + 8 * ctypes.sizeof(ctypes.c_size_t)
        )
        counters._obj.peak_working_set = 7 * 1024
        counters._obj.working_set = 5 * 1024
        return 1

    kernel = SimpleNamespace(GetCurrentProcess=lambda: 99, K32GetProcessMemoryInfo=tell)
    assert memory.from_windows(kernel) == 5
    # A handle that is passed as an int would lose its upper half.
    assert kernel.GetCurrentProcess.restype is ctypes.c_void_p


def test_macos_is_asked_for_the_task_of_this_process():
    def tell(pid, flavour, argument, info, size):
        assert (pid, flavour, argument, size) == (os.getpid(), 4, 0, 96)
        info._obj.virtual = 9 * 1024
        info._obj.resident = 3 * 1024
        return size

    assert memory.from_macos(SimpleNamespace(proc_pidinfo=tell)) == 3


@pytest.mark.parametrize("platform", ["win32", "darwin", "freebsd13"])
def test_a_system_that_does_not_tell_is_no_zero(monkeypatch, platform):
    refusing = SimpleNamespace(
        GetCurrentProcess=lambda: 1, K32GetProcessMemoryInfo=lambda *_: 0, proc_pidinfo=lambda *_: 0
    )
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(ctypes, "WinDLL", lambda *_, **__: refusing, raising=False)
    monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: refusing)
    monkeypatch.setattr(memory, "Path", lambda _: memory.os)
    assert memory.resident_kib() is None
