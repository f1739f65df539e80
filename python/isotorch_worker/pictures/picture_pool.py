"""Encoded pictures, read by processes beside this one: none costs the network time, or the worker its life.

A thread for each process, and a queue before them. What is over its time, or wanted no more, ends at once:
its process is killed, and the next picture gets another one.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from typing import Any

from isotorch_worker.base.quota import available_cpus
from isotorch_worker.pictures.picture_child import Child
from isotorch_worker.pictures.picture_reader import LIMIT_SECONDS, Decoded, Encoded, Reader
from isotorch_worker.protocol.errors import (
    Aborted,
    Closed,
    DeadlineExceeded,
    DecodeFailed,
    OutOfMemory,
    WorkerError,
)

MOST = 4
_CLOSE_SECONDS = 5.0


class Decoding:
    """A picture on its way; ``future`` has it in the end, or the WorkerError why not."""

    def __init__(self, pool: Pictures, encoded: Encoded) -> None:
        self.encoded = encoded
        self.future: Future[Decoded] = Future()
        self.child: Child | None = None
        """The process that has it."""
        self._pool = pool
        self._limit: float | None = None

    def cancel(self) -> None:
        """Nobody waits for it any more: it fails with Aborted, unless it is done. Any thread."""
        self._pool.end(self, Aborted("cancelled before its picture was decoded"))

    @property
    def is_over(self) -> bool:
        """Whether it has its outcome already."""
        return self.future.done()

    def when_over(self, call: Callable[[], None]) -> None:
        """Call once it has, on whichever thread; at once where it has already."""
        self.future.add_done_callback(lambda _: call())

    @property
    def due(self) -> float | None:
        """When something has to be done about it, on time.monotonic()."""
        return min((at for at in (self.encoded.until, self._limit) if at is not None), default=None)

    def verdict(self, now: float) -> WorkerError | None:
        """Why it ends now, where it has to."""
        if self.encoded.until is not None and now >= self.encoded.until:
            return DeadlineExceeded("the deadline passed before its picture was decoded")
        if self._limit is not None and now >= self._limit:
            return DecodeFailed(
                f"Pillow was not done with this picture after {LIMIT_SECONDS} s, and was stopped",
                "save the picture as a plain PNG or JPEG, or make it smaller, first",
            )
        return None

    def hold(self, child: Child | None) -> None:
        """``child`` has it from now on, and is killed with it."""
        self._pool.hold(self, child)

    def allow(self, seconds: float) -> None:
        """It may go on for so long."""
        self._limit = time.monotonic() + seconds
        self._pool.wake()


class Pictures:
    """The processes: as many as are needed at a time, at most ``most`` (one for each CPU, and 4).

    None is started before the first picture.
    """

    def __init__(self, most: int | None = None) -> None:
        self._most = most or max(1, min(MOST, available_cpus()))
        self._changed = threading.Condition()
        self._waiting: deque[Decoding] = deque()
        self._open: set[Decoding] = set()
        self._threads: list[threading.Thread] = []
        self._idle = 0
        self._closed = False
        self._agreed: dict[tuple[Any, ...], bool] = {}
        self._remarks: deque[str] = deque()

    def submit(self, encoded: Encoded) -> Decoding:
        """Take a picture in; never waits, never raises. Any thread."""
        one = Decoding(self, encoded)
        with self._changed:
            self._open.add(one)
            self._waiting.append(one)
            if self._closed:
                self.end(one, Closed("the worker is about to end"))
            try:
                self._staff()
            except RuntimeError:  # the system has no room for another thread
                if len(self._threads) < 2:
                    self.end(one, OutOfMemory("no thread can be started to read the picture"))
            self._changed.notify_all()
        return one

    def end(self, one: Decoding, outcome: Decoded | WorkerError) -> None:
        """Settle what has no outcome yet, and end the work for it. Any thread."""
        with self._changed:
            if one not in self._open:
                return
            self._open.discard(one)
            if one.child is not None:
                one.child.kill()
            with contextlib.suppress(ValueError):
                self._waiting.remove(one)
            # Whoever waits for the future may have cancelled it.
            with contextlib.suppress(InvalidStateError):
                if isinstance(outcome, WorkerError):
                    one.future.set_exception(outcome)
                else:
                    one.future.set_result(outcome)

    def hold(self, one: Decoding, child: Child | None) -> None:
        """See Decoding."""
        with self._changed:
            one.child = child
            if child is not None and one not in self._open:
                child.kill()

    def wake(self) -> None:
        """A time has changed."""
        with self._changed:
            self._changed.notify_all()

    def remarks(self) -> list[str]:
        """What a log should say, since the last call."""
        found: list[str] = []
        while self._remarks:
            found.append(self._remarks.popleft())
        return found

    def close(self) -> None:
        """End everything and wait until the processes are gone; what was not done fails with Closed."""
        with self._changed:
            self._closed = True
            for one in list(self._open):
                self.end(one, Closed("the worker was asked to stop before this picture was decoded"))
            self._changed.notify_all()
        for thread in self._threads:
            thread.join(_CLOSE_SECONDS)

    # --- threads --------------------------------------------------------------------------------------------

    def _staff(self) -> None:
        if not self._threads:
            self._start(self._watch, "picture-times")
        if len(self._waiting) > self._idle and len(self._threads) <= self._most:
            self._start(self._work, "picture")

    def _start(self, run: Callable[[], None], name: str) -> None:
        thread = threading.Thread(target=run, name=name, daemon=True)
        thread.start()
        self._threads.append(thread)

    def _watch(self) -> None:
        """Ends what is over its time."""
        with self._changed:
            while not self._closed:
                now = time.monotonic()
                for one in list(self._open):
                    if (error := one.verdict(now)) is not None:
                        self.end(one, error)
                nearest = min((one.due for one in self._open if one.due is not None), default=None)
                self._changed.wait(None if nearest is None else max(nearest - now, 0.001))

    def _work(self) -> None:
        reader = Reader(self._agreed, self._remarks.append)
        while (one := self._next()) is not None:
            try:
                outcome: Decoded | WorkerError = reader.read(one)
            except WorkerError as error:
                outcome = error
            except MemoryError:
                outcome = OutOfMemory("not enough memory for the picture")
            except Exception as error:
                outcome = WorkerError(f"{type(error).__name__}: {error}")
            self.end(one, outcome)
        reader.close()

    def _next(self) -> Decoding | None:
        with self._changed:
            self._idle += 1
            self._changed.wait_for(lambda: self._waiting or self._closed)
            self._idle -= 1
            return None if self._closed else self._waiting.popleft()
