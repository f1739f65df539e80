"""How this process ends when it should: with its parent, on a signal, or when nothing in it moves."""

from __future__ import annotations

import ctypes
import faulthandler
import os
import signal
import sys
import threading
import traceback

from isotorch_worker.base.stdin import read_to_end

SILENCE_SECONDS = 60.0
_PR_SET_PDEATHSIG = 1
# How long a worker on Windows may outlive its parent.
_WATCH_SECONDS = 0.2


def keep_stdout_away() -> None:
    """Send everything that is printed, by Python or by a native library, to stderr."""
    sys.stdout.flush()
    os.dup2(2, 1)
    sys.stdout = sys.stderr


def die_with_parent(signal_number: int = 9) -> None:
    """Ask Linux to send ``signal_number`` when the parent ends, which works while the GIL is held.

    Ends the process at once if the parent ended before the request was in place.
    Does nothing on other systems.
    """
    if not sys.platform.startswith("linux"):
        return
    parent = os.getppid()
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal_number, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(0)


def watch_stdin() -> threading.Thread:
    """Start a thread that ends the process with exit code 0 when stdin reaches its end."""
    thread = threading.Thread(target=_exit_at_end_of_stdin, name="stdin", daemon=True)
    thread.start()
    return thread


def handle_signals() -> None:
    """Exit on SIGTERM; ignore SIGINT, which a terminal sends to the controller too."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))


def report_crashes() -> None:
    """Print every thread's Python stack to stderr when a native library crashes."""
    faulthandler.enable(file=sys.__stderr__ or 2, all_threads=True)


def beat() -> None:
    """Put off the dead-man's switch, which ends the process with exit code 1 even while the GIL is held."""
    faulthandler.dump_traceback_later(SILENCE_SECONDS, exit=True, file=sys.__stderr__ or 2)


def rest() -> None:
    """Take the dead-man's switch away."""
    faulthandler.cancel_dump_traceback_later()


def abandon() -> None:
    """Print the exception that is being handled and end the process with exit code 1."""
    traceback.print_exc()
    os._exit(1)


def _exit_at_end_of_stdin() -> None:
    read_to_end(_WATCH_SECONDS)
    os._exit(0)
