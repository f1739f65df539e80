"""What a channel is for a worker, without a socket or a thread, and tasks that are made for tests."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import numpy as np

from isotorch_worker.inbox import Inbox, Request
from isotorch_worker.protocol.wire import Descriptor, Message
from isotorch_worker.serve import Worker
from isotorch_worker.task import Part, Registry, Result, Started, Task

SECONDS = 20


class FakeChannel:
    """``give`` puts a request in, ``sent`` is what came out; ``hears`` is told of each message.

    Stops the worker when everything that was given has its answer.
    """

    generation = 1

    def __init__(self) -> None:
        self.arrived: Callable[[Request], None] = lambda _: None
        self.hears: Callable[[Message], None] = lambda _: None
        self.sent: list[Message] = []
        self.logs: list[tuple[str, str]] = []
        self.requests: dict[int, Request] = {}
        self._open: dict[int, Request] = {}
        self._inbox = Inbox()

    def give(self, kind: str, id_: int, **fields: object) -> Request:
        request = Request(Message(kind, id_, 1, {"deadlineMs": None, "following": 0, **fields}))
        self.requests[id_] = self._open[id_] = request
        self.arrived(request)
        self._inbox.put(request)
        return request

    def stop(self) -> None:
        self._inbox.stop()

    def next(self, wait: bool = True) -> list[Request]:
        return self._inbox.next(wait)

    def again(self, request: Request) -> None:
        self._inbox.put_back(request)

    def finish(self, request: Request) -> None:
        del self._open[request.message.id]

    def unfinished(self) -> list[Request]:
        return list(self._open.values())

    def log(self, level: str, text: str) -> None:
        self.logs.append((level, text))

    def send(self, message: Message) -> None:
        self.sent.append(message)
        self.hears(message)
        if not self._open:
            self.stop()

    # --- what a test asks -----------------------------------------------------------------------------------

    def work(self, worker: Worker) -> int:
        """The worker's exit code, once it has answered everything."""
        timer = threading.Timer(SECONDS, self.stop)
        timer.start()
        try:
            return worker.work()
        finally:
            timer.cancel()

    def told(self) -> list[tuple[int, object]]:
        """What was sent, in its order: the request's id, and a part's number, "result" or an error's code."""
        what = {"part": "sequence", "error": "code"}
        return [(one.id, one.fields[what[one.type]] if one.type in what else one.type) for one in self.sent]

    def error(self, id_: int) -> str:
        """The message of a request's error."""
        (found,) = (one for one in self.sent if one.id == id_ and one.type == "error")
        return found.fields["message"]


def tokens(number: int) -> Part:
    """A part as text has them."""
    token, logprob = np.array([number], "<i8"), np.array([-number / 2], "<f4")
    return Part(
        {
            "tokens": (Descriptor("tokens", "<i8", (1,)), token.tobytes()),
            "logprobs": (Descriptor("logprobs", "<f4", (1,)), logprob.tobytes()),
        }
    )


def all_tokens(count: int) -> Result:
    frame = np.arange(count, dtype="<i8")
    return Result({"forward": 1.0}, {"tokens": (Descriptor("tokens", "<i8", (count,)), frame.tobytes())})


class Counting(Task):
    """Counts to ``count(request)``, each number a part, and waits ``pause(request)`` seconds for each.

    Remembers what it did: ``begun`` and ``ended`` by id.
    """

    streams = True

    def __init__(
        self,
        count: Callable[[Request], int] = lambda request: request.message.fields["count"],
        pause: Callable[[Request], float] = lambda request: request.message.fields.get("pause", 0.0),
    ) -> None:
        self.begun: list[int] = []
        self.ended: list[int] = []
        self._count = count
        self._pause = pause

    def run(self, requests, network):
        (request,) = requests
        self.begun.append(request.message.id)
        try:
            for number in range(self._count(request)):
                yield Started([request], lambda number=number: self.piece(request, number))
            yield Started([request], lambda: [(request, all_tokens(self._count(request)))])
        finally:
            self.ended.append(request.message.id)

    def piece(self, request: Request, number: int):
        time.sleep(self._pause(request))
        yield request, tokens(number)


def registry(**tasks: Task) -> Registry:
    """These tasks, by the message that asks for them."""
    return Registry(tasks, {})
