"""What waits for the main thread, in its order: requests, those whose picture was decoded, and ends."""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from isotorch_worker.protocol.errors import WorkerError
from isotorch_worker.protocol.wire import Message
from isotorch_worker.runtime.batch import belongs

if TYPE_CHECKING:
    from isotorch_worker.pictures.picture_pool import Decoding

# The requests of a batch are sent in one go; whatever is missing after this will not come.
GATHER_SECONDS = 1.0


@dataclass(eq=False)
class Request:
    """One load, classify, decode or attest until its answer; ``received`` is time.monotonic()."""

    message: Message
    received: float = field(default_factory=time.monotonic)
    cancelled: bool = False
    decoding: Decoding | None = None
    """Of an encoded picture, once it was given to the picture processes."""
    is_back: bool = False
    """Its turn came before its picture was decoded, and now it is."""

    @property
    def size(self) -> int:
        return sum(len(payload) for _, payload in self.message.frames.values())

    @property
    def following(self) -> int:
        """How many requests of its batch are announced behind it."""
        return self.message.fields.get("following", 0)

    def goes_with(self, previous: Request) -> bool:
        """Whether it is of the batch of ``previous``, which announced requests behind it."""
        return self.message.type == "classify" and belongs(self.following, previous.following)

    @property
    def until(self) -> float | None:
        """When its deadline passes, on time.monotonic()."""
        limit = self.message.fields.get("deadlineMs")
        return None if limit is None else self.received + limit / 1000

    @property
    def overdue(self) -> bool:
        return self.until is not None and time.monotonic() >= self.until

    def cancel(self) -> None:
        """Nobody waits for its answer any more. Any thread."""
        self.cancelled = True
        if self.decoding is not None:
            self.decoding.cancel()


class Stopped(Exception):
    """The controller asked the worker to stop."""


class Inbox:
    """Filled by any thread, emptied by the main thread."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._items: deque[Request | WorkerError] = deque()
        self._stopping = False

    def put(self, item: Request | WorkerError) -> None:
        """A request that came, or the failure that ends the worker."""
        with self._changed:
            self._items.append(item)
            self._changed.notify_all()

    def put_back(self, request: Request) -> None:
        """A request whose turn comes once more, because its picture is decoded now."""
        request.is_back = True
        self.put(request)

    def stop(self) -> None:
        """Nothing more is to be begun."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()

    def next(self, wait: bool = True) -> list[Request]:
        """What is to be done together: one request, those of a batch that came within a second, or those that
        are back.

        Empty where nothing is there and ``wait`` is false. Raises Stopped, or the WorkerError that ends the
        worker.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._items or self._stopping, None if wait else 0)
            first = self._items[0] if self._items else None
            if isinstance(first, WorkerError):
                self._items.popleft()
                raise first
            if self._stopping:
                raise Stopped
            if first is None:
                return []
            return self._all_back() if first.is_back else self._batch(first)

    def _all_back(self) -> list[Request]:
        back = [item for item in self._items if _is_back(item)]
        self._items = deque(item for item in self._items if not _is_back(item))
        return [item for item in back if isinstance(item, Request)]

    def _batch(self, first: Request) -> list[Request]:
        self._items.popleft()
        batch = [first]
        until = time.monotonic() + GATHER_SECONDS
        while batch[-1].following > 0:
            left = max(until - time.monotonic(), 0.0)
            self._changed.wait_for(lambda: self._new() is not None or self._stopping, left)
            at = self._new()
            item = None if at is None or self._stopping else self._items[at]
            # What ends the worker, or its work, has its turn after the batch, which is there already.
            if at is None or not isinstance(item, Request) or not item.goes_with(batch[-1]):
                break
            del self._items[at]
            batch.append(item)
        return batch

    def _new(self) -> int | None:
        """Where the first is that is not back."""
        return next((at for at, item in enumerate(self._items) if not _is_back(item)), None)


def _is_back(item: Request | WorkerError) -> bool:
    return isinstance(item, Request) and item.is_back
