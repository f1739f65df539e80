"""Stdin on Windows, with a kernel that is told what to answer: nothing reads before a read would return."""

from __future__ import annotations

import ctypes
import os
import sys
from types import SimpleNamespace

import pytest

from isotorch_worker import __main__ as main
from isotorch_worker.base import stdin

HANDLE = 1234
CLOSED = None


class FakePipe:
    """A pipe that holds so many bytes at each look; ``CLOSED`` is how the look fails then."""

    def __init__(self, *looks: int | None) -> None:
        self.happened: list[object] = []
        self._looks = iter(looks)

        def peek(handle, buffer, size, read, available, left):
            assert (handle, buffer, size, read, left) == (HANDLE, None, 0, None, None)
            count = next(self._looks)
            self.happened.append(("look", count))
            if count is not CLOSED:
                available._obj.value = count
            return int(count is not CLOSED)

        self.kernel = SimpleNamespace(PeekNamedPipe=peek)

    def read(self, descriptor: int, size: int) -> bytes:
        _, count = self.happened[-1]
        assert descriptor == 0
        self.happened.append("read")
        return b"x" * min(count or 0, size)


@pytest.fixture
def on_windows(monkeypatch):
    def put(pipe: FakePipe) -> None:
        monkeypatch.setattr(sys, "platform", "win32")
        monkeypatch.setattr(ctypes, "WinDLL", lambda *_, **__: pipe.kernel, raising=False)
        monkeypatch.setitem(sys.modules, "msvcrt", SimpleNamespace(get_osfhandle=lambda _: HANDLE))
        monkeypatch.setattr(stdin, "time", SimpleNamespace(sleep=pipe.happened.append))

    return put


def test_an_empty_pipe_is_looked_at_again_after_a_pause_and_one_with_bytes_is_not():
    pipe = FakePipe(0, 0, 5)
    stdin.wait_for_pipe(pipe.kernel, HANDLE, 0)
    assert pipe.happened == [("look", 0), ("look", 0), ("look", 5)]
    # A handle has 64 bits there, and ctypes passes 32 unless it is told.
    assert ctypes.sizeof(pipe.kernel.PeekNamedPipe.argtypes[0]) == ctypes.sizeof(ctypes.c_void_p)
    assert len(pipe.kernel.PeekNamedPipe.argtypes) == 6


def test_the_watch_reads_only_what_is_there_and_ends_when_the_other_end_is_closed(on_windows, monkeypatch):
    pipe = FakePipe(0, 3, 0, CLOSED)
    on_windows(pipe)
    monkeypatch.setattr(os, "read", pipe.read)
    stdin.read_to_end(0.2)
    assert pipe.happened == [
        ("look", 0),
        0.2,
        ("look", 3),
        "read",
        ("look", 0),
        0.2,
        ("look", CLOSED),
        "read",
    ]


def test_the_watch_ends_where_there_is_no_stdin(on_windows, monkeypatch):
    def missing(_descriptor):
        raise OSError(9, "Bad file descriptor")

    on_windows(FakePipe())
    monkeypatch.setitem(sys.modules, "msvcrt", SimpleNamespace(get_osfhandle=missing))
    stdin.read_to_end(0.2)


def test_the_start_up_line_is_read_piece_by_piece_and_never_waited_for_in_a_read(on_windows, monkeypatch):
    pieces = [b'{"a"', b": 1}\nrest"]
    first, second = map(len, pieces)
    pipe = FakePipe(0, first, 0, 0, second)
    on_windows(pipe)

    class FakeFile:
        def readinto(self, view: memoryview) -> int:
            pipe.happened.append("read")
            piece = pieces.pop(0)
            view[: len(piece)] = piece
            return len(piece)

    monkeypatch.setattr(main, "io", SimpleNamespace(FileIO=lambda *_, **__: FakeFile()))
    assert main._read_line() == b'{"a": 1}'
    looks = [happened for happened in pipe.happened if isinstance(happened, tuple)]
    assert looks == [("look", 0), ("look", first), ("look", 0), ("look", 0), ("look", second)]
    assert [happened for happened in pipe.happened if happened in ("read", ("look", 0))] == [
        ("look", 0),
        "read",
        ("look", 0),
        ("look", 0),
        "read",
    ]


def test_elsewhere_nothing_is_looked_at(monkeypatch):
    monkeypatch.setattr(ctypes, "WinDLL", None, raising=False)
    stdin.wait_for_stdin(0.2)
