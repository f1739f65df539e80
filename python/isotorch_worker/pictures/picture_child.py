"""One picture process as the worker sees it: started, asked for one picture at a time, ended."""

from __future__ import annotations

import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from isotorch_worker.pictures import picture_wire
from isotorch_worker.protocol.errors import (
    DecodeFailed,
    EnvironmentBroken,
    InputTooLarge,
    OutOfMemory,
    UnsupportedFormat,
    UnsupportedMode,
    WorkerError,
)

PROGRAM = Path(__file__).with_name("picture_process.py")
_ERRORS: Mapping[str, type[WorkerError]] = {
    error.code: error
    for error in (
        DecodeFailed,
        EnvironmentBroken,
        InputTooLarge,
        OutOfMemory,
        UnsupportedFormat,
        UnsupportedMode,
    )
}
# Signals by which native code ends itself.
_CRASHES = ("SIGSEGV", "SIGABRT", "SIGBUS", "SIGFPE", "SIGILL", "SIGTRAP", "SIGSYS")
# As Windows numbers them: STATUS_ACCESS_VIOLATION and its like.
_WINDOWS_CRASH = 0xC0000000


class Ended(Exception):
    """The process is gone, or of no more use; ``code`` is None where it answered nonsense."""

    def __init__(self, code: int | None) -> None:
        self.code = code
        by = _signal(code)
        self.is_crash = by in _CRASHES or (code is not None and code >= _WINDOWS_CRASH)
        self.was_killed = by == "SIGKILL"
        self.how = by or ("it answered what cannot be read" if code is None else _exit_code(code))
        super().__init__(self.how)


def _signal(code: int | None) -> str | None:
    """The name of the signal that ended it."""
    return next((one.name for one in signal.Signals if code == -one), None)


def _exit_code(code: int) -> str:
    # Windows' own are known by their hex digits.
    return f"exit code {code:#x}" if code >= _WINDOWS_CRASH else f"exit code {code}"


class Child:
    """A picture process. Used by one thread; ``kill`` by any."""

    def __init__(self) -> None:
        """Starts it. Raises OSError where the system has no room for it."""
        # Here, because it takes milliseconds of a start that may never read a picture.
        import subprocess

        windowless: int = getattr(subprocess, "CREATE_NO_WINDOW", 0)
        # Its stderr is not the worker's, which tells the controller how the worker ended.
        self._process = subprocess.Popen(  # noqa: S603 - this program and this interpreter
            [sys.executable, "-I", "-u", str(PROGRAM)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            creationflags=windowless,
        )

    @property
    def is_gone(self) -> bool:
        """Whether it ended while nobody asked it."""
        return self._process.poll() is not None

    def greet(self) -> None:
        """Wait until it has imported Pillow. Raises Ended, or EnvironmentBroken where that is another one."""
        from PIL import __version__

        greeting, _ = self._exchange({"path": sys.path}, (), 0)
        if greeting.get("pillow") != __version__:
            raise EnvironmentBroken(
                f"this worker started with Pillow {__version__}, and another one is installed by now",
                "start the worker again",
            )

    def ask(
        self, wanted: Mapping[str, Any], data: bytes | bytearray | memoryview, most: int
    ) -> tuple[dict[str, Any], list[bytearray]]:
        """Its answer to one request; the payloads have at most ``most`` bytes.

        Raises Ended, or the WorkerError that it answered.
        """
        return self._exchange(wanted, (data,), most)

    def kill(self) -> None:
        """End it at once; whoever waits for its answer sees that."""
        self._process.kill()

    def end(self) -> int:
        """End it, wait until it is gone and forget it; returns its exit code, as subprocess has it."""
        self._process.kill()
        code = self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        return code

    def _exchange(
        self, header: Mapping[str, Any], payloads: tuple[Any, ...], most: int
    ) -> tuple[dict[str, Any], list[bytearray]]:
        requests, answers = cast("Any", self._process.stdin), cast("Any", self._process.stdout)
        try:
            picture_wire.write(requests, header, *payloads)
            answer, received = picture_wire.read(answers, most)
        except (EOFError, OSError):
            raise Ended(self._code()) from None
        except ValueError:
            raise Ended(None) from None
        if "error" in answer:
            raise _error_of(answer["error"])
        return answer, received

    def _code(self) -> int:
        """Its exit code; it has closed its pipes, which is its end or soon will be."""
        from subprocess import TimeoutExpired

        try:
            return self._process.wait(1)
        except TimeoutExpired:
            return self.end()


def _error_of(given: Any) -> WorkerError:
    fields = cast("dict[str, Any]", given) if isinstance(given, dict) else {}
    hint = fields.get("hint")
    error = _ERRORS.get(str(fields.get("code")), WorkerError)
    return error(str(fields.get("message")), None if hint is None else str(hint))
