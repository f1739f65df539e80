"""Files that are replaced whole, also while somebody holds them, and locks."""

from __future__ import annotations

import errno
import os
import subprocess
import sys

import pytest

from isotorch_worker.base.files import replace_file, until_free, write_whole
from isotorch_worker.base.lock import try_lock
from isotorch_worker.base.owner import is_alive


@pytest.mark.parametrize("code", [errno.EPERM, errno.EACCES, errno.EBUSY])
def test_a_file_that_is_held_is_tried_again(tmp_path, code):
    attempts = []

    def action() -> None:
        attempts.append(1)
        if len(attempts) < 4:
            raise OSError(code, "held")

    until_free(tmp_path / "a", action)
    assert len(attempts) == 4


def test_and_not_for_ever(tmp_path):
    attempts = []

    def action() -> None:
        attempts.append(1)
        raise OSError(errno.EBUSY, "held")

    with pytest.raises(OSError, match="held"):
        until_free(tmp_path / "a", action, patience=0.05)
    assert len(attempts) > 1


@pytest.mark.parametrize(("code", "file"), [(errno.ENOSPC, "a"), (errno.EPERM, "."), (errno.EPERM, "gone/a")])
def test_what_waiting_does_not_mend_is_not_waited_for(tmp_path, code, file):
    attempts = []

    def action() -> None:
        attempts.append(1)
        raise OSError(code, "refused")

    with pytest.raises(OSError, match="refused"):
        until_free(tmp_path / file, action)
    assert len(attempts) == 1


def test_what_is_written_whole_leaves_nothing_beside_it(tmp_path):
    (tmp_path / "folder").mkdir()
    write_whole(tmp_path / "a", b"new")
    with pytest.raises(IsADirectoryError):
        write_whole(tmp_path / "folder", b"x")
    (tmp_path / "b").write_bytes(b"other")
    replace_file(tmp_path / "b", tmp_path / "a")
    assert {entry.name for entry in tmp_path.iterdir()} == {"a", "folder"}
    assert (tmp_path / "a").read_bytes() == b"other"


def test_a_lock_is_held_once_and_released_twice(tmp_path):
    lock = try_lock(tmp_path / "a.lock")
    assert lock is not None
    assert try_lock(tmp_path / "a.lock") is None
    lock.release()
    lock.release()
    assert list(tmp_path.iterdir()) == []


def test_a_lock_that_cannot_be_written_is_an_error(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(NotADirectoryError):
        try_lock(tmp_path / "file" / "a.lock")


def test_who_is_alive():
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    assert is_alive(os.getpid())
    assert not is_alive(child.pid)
    assert not is_alive(2**62)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such permissions")
def test_other_accounts_may_read_what_was_written_whole(tmp_path):
    before = os.umask(0o022)
    try:
        write_whole(tmp_path / "a", b"whole")
    finally:
        os.umask(before)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o644


def test_what_cannot_be_read_or_removed_in_the_place_of_a_lock_is_no_lock_for_ever(tmp_path):
    file = tmp_path / "a.lock"
    file.mkdir()
    assert try_lock(file) is None
    os.utime(file, (1, 1))
    with pytest.raises(OSError, match=r"a\.lock"):
        try_lock(file)


def test_a_lock_of_brackets_is_left_behind(tmp_path):
    file = tmp_path / "a.lock"
    file.write_text("[" * 200_000, "utf-8")
    os.utime(file, (1, 1))
    lock = try_lock(file)
    assert lock is not None
    lock.release()
