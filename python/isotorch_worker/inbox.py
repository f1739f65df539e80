"""What waits for the main thread, in its order: requests, those for which something was made, and ends."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from isotorch_worker.protocol.errors import WorkerError
from isotorch_worker.protocol.wire import Message
from isotorch_worker.runtime.batch import belongs

# The requests of a batch are sent in one go; whatever is missing after this will not come.
GATHER_SECONDS = 1.0


class Preparing(Protocol):
    """Something that is made for a request beside the main thread, before the request's turn. Any thread."""

    @property
    def is_over(self) -> bool:
        """Whether there is nothing to wait for any more."""
        ...

    def cancel(self) -> None:
        """Nobody waits for it any more."""
        ...

    def when_over(self, call: Callable[[], None]) -> None:
        """Call once it is over, on whichever thread; at once where it is."""
        ...


@dataclass(eq=False)
class Request:
    """What the controller asked for, until its answer; ``received`` is time.monotonic()."""

    message: Message
    received: float = field(default_factory=time.monotonic)
    cancelled: bool = False
    preparing: Preparing | None = None
    is_back: bool = False
    """Its turn came before it was prepared, and now it is."""
    parts: int = 0
    """How many parts of its answer were sent."""
    is_answered: bool = False

    @property
    def size(self) -> int:
        return sum(len(payload) for _, payload in self.message.frames.values())

    @property
    def following(self) -> int:
        """How many requests of its batch are announced behind it."""
        return self.message.fields.get("following", 0)

    def goes_with(self, previous: Request) -> bool:
        """Whether it is of the batch of ``previous``, which announced requests behind it."""
        is_alike = self.message.type == previous.message.type
        return is_alike and belongs(self.following, previous.following)

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
        if self.preparing is not None:
            self.preparing.cancel()


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
        """A request whose turn comes once more, because it is prepared now."""
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
