"""What guards the worker, each in the way that ``scripts/mutants.mjs`` takes out."""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path

import msgpack
import pytest

from controller import DECODE, MAIN, packed
from isotorch_worker.checkpoints.checkpoint import read_checkpoint
from isotorch_worker.protocol.errors import CheckpointCorrupt, ProtocolError
from isotorch_worker.protocol.wire import decode

LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux alone has it")


@LINUX
def test_the_worker_asks_for_the_parent_death_signal(start):
    # The signal also comes when the thread that started the process ends: stdin stays open here.
    workers = []

    def spawn() -> None:
        workers.append(start())
        workers[0].hello()

    thread = threading.Thread(target=spawn)
    thread.start()
    thread.join()
    assert workers[0].wait(10) == -signal.SIGKILL


def test_the_worker_arms_the_dead_mans_switch(start):
    script = (
        f"import ctypes, os, sys, threading; sys.path.insert(0, {str(MAIN.parent.parent)!r})\n"
        "from isotorch_worker import __main__, channel, lifetime\n"
        "lifetime.SILENCE_SECONDS = 2.0; channel.BEAT_SECONDS = 0.2; channel.POLL_MS = 100\n"
        "threading.Timer(0.5, lambda: ctypes.PyDLL(None).sleep(60)).start()\n"
        "os._exit(__main__.main(['serve']))"
    )
    worker = start("-c", script)
    worker.hello()
    assert worker.wait(20) == 1
    assert "Timeout" in worker.stderr()


@LINUX
def test_a_crash_leaves_every_threads_stack_on_stderr(start):
    worker = start()
    worker.hello()
    os.kill(worker.process.pid, signal.SIGSEGV)
    assert worker.wait() == -signal.SIGSEGV
    assert "Fatal Python error" in worker.stderr()


@LINUX
def test_the_workers_stdout_is_its_stderr(start):
    worker = start()
    worker.hello()
    files = [Path(f"/proc/{worker.process.pid}/fd/{number}").readlink() for number in (1, 2)]
    assert files[0] == files[1]


def test_the_workers_own_queue_is_limited(start):
    worker = start()
    worker.hello()
    # While torch is imported nothing is answered in its turn.
    worker.load(Path("/nowhere/missing.pth"))
    for id_ in range(2, 42):
        worker.send("decode", id_, DECODE, encoded=("|u1", (1,), b"x"))
    refused = worker.until("error")
    assert refused.fields["code"] == "QUEUE_FULL"


def test_a_header_that_is_valid_but_too_long_is_refused():
    fields = {
        "task": "image-classification",
        "model": "m" * 1850,
        "checkpoint": "c" * 2000,
        "checkpointKey": None,
        "sha256": None,
        "seed": None,
        "network": {"transforms": "t", "spec": None},
        "device": "cpu",
        "precision": "exact",
        "threads": 1,
        "maxBatch": 0,
    }
    load = {"type": "load", **fields}
    assert decode([packed(load)]).type == "load"
    with pytest.raises(ProtocolError, match="more than 4096"):
        decode([packed({**load, "device": "d" * 200})])


@pytest.mark.parametrize("extension", [msgpack.ExtType(5, b"x"), msgpack.Timestamp(1)])
def test_extensions_are_refused_before_anything_is_made_of_them(extension):
    header = packed({"type": "ping", "id": extension})
    with pytest.raises(ProtocolError, match="not msgpack"):
        decode([header])


@LINUX
def test_a_device_is_no_checkpoint():
    with pytest.raises(CheckpointCorrupt, match="not a regular file"):
        read_checkpoint(Path("/dev/zero"), None)
