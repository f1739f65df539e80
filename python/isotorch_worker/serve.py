"""The loop: load once, then receive -> start -> collect -> answer, until the controller says stop."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from isotorch_worker import lifetime
from isotorch_worker.background import BackgroundImport
from isotorch_worker.channel import Channel, error_message
from isotorch_worker.imports import import_failure
from isotorch_worker.inbox import Request, Stopped
from isotorch_worker.protocol.errors import (
    Aborted,
    Closed,
    DeadlineExceeded,
    OutOfMemory,
    ProtocolError,
    WorkerError,
)
from isotorch_worker.protocol.table import exit_status
from isotorch_worker.protocol.wire import Message
from isotorch_worker.startup import Startup
from isotorch_worker.task import Network, Outcome, Part, Pieces, Registry, Result, Started, Task

RESTART = exit_status("again")


def serve(startup: Startup, registry: Registry, imports: BackgroundImport | None = None) -> int:
    """Serve one controller until it says stop; returns the process's exit code (docs/protocol.md).

    ``imports`` has begun to import what a load needs.

    Raises StartupError if the endpoint cannot be used.
    """
    channel = Channel(startup)
    lifetime.watch_stdin()
    worker = Worker(channel, registry, imports)
    try:
        return worker.work()
    finally:
        worker.close()
        channel.close()


class _Run:
    """Requests that a task is run for, until its last piece is collected."""

    def __init__(self, task: Task, requests: Sequence[Request], network: Any) -> None:
        self.requests = requests
        self.pieces = _pieces(task, requests, network)
        self.streams = task.streams
        self.is_begun = False
        self.under_way = 0
        self.end: Exception | None = None
        """Set when no piece will follow: the answer to whichever of the requests has none."""

    @property
    def is_answered(self) -> bool:
        return all(request.is_answered for request in self.requests)


class Worker:
    """Takes requests from a channel in their order and answers each of them once.

    Pieces of work are started as many at a time as the network is worth, and collected in their order. A
    batch is taken when the one before it has no piece left to start; streams take turns with it.
    """

    def __init__(self, channel: Channel, registry: Registry, imports: BackgroundImport | None = None) -> None:
        self._channel = channel
        self._registry = registry
        self._imports = imports
        self._network: Network | None = None
        self._loaded: str | None = None
        self._runs: deque[_Run] = deque()
        """Those whose next piece can be started."""
        self._under_way: deque[tuple[_Run, Started]] = deque()
        self._is_stopping = False
        self._exit_code: int | None = None
        channel.arrived = self._arrived

    def work(self) -> int:
        """Until the controller says stop, or the process cannot go on; returns its exit code."""
        try:
            while self._exit_code is None:
                self._take()
                self._go_on()
        except Stopped:
            self._finish()
            return 0
        except WorkerError as error:
            self._channel.send(error_message(error, 0, self._channel.generation))
            return error.exit_code
        return self._exit_code

    def close(self) -> None:
        """End what tasks keep."""
        for kept in self._registry.kept:
            kept.close()

    def _finish(self) -> None:
        """Go on with what was begun; whatever else waits is refused."""
        self._is_stopping = True
        while self._runs or self._under_way:
            self._go_on()
        for request in self._channel.unfinished():
            self._settle(request, Closed("the worker was asked to stop before this request's turn came"))

    # --- from requests to runs ------------------------------------------------------------------------------

    def _take(self) -> None:
        # What comes while a batch has pieces left gathers, and is run together afterwards.
        if any(not run.streams for run in self._runs):
            return
        alike: dict[str, list[Request]] = {}
        for request in self._channel.next(wait=not self._runs and not self._under_way):
            alike.setdefault(request.message.type, []).append(request)
        for kept in self._registry.kept:
            for remark in kept.remarks():
                self._channel.log("warning", remark)
        for kind, requests in alike.items():
            if kind == "load":
                for request in requests:
                    self._load(request)
            else:
                self._queue([request for request in requests if self._is_ready(request)])

    def _load(self, request: Request) -> None:
        message = request.message
        try:
            if self._network is not None:
                raise ProtocolError("a second load")
            kind = message.fields["task"]
            if kind not in self._registry.loads:
                raise ProtocolError(f"this worker has no network for {kind}")
            self._network, ready = self._registry.loads[kind](self._channel, message, self._imports)
            self._loaded = kind
        except Exception as error:
            self._settle(request, error)
        else:
            self._answer(request, ready)

    def _is_ready(self, request: Request) -> bool:
        """Whether its turn is now. It may have been refused, or be prepared still and come back after it."""
        try:
            _check_wanted(request, "its turn came")
            if self._task_of(request).network is not None and self._network is None:
                raise ProtocolError(f"{request.message.type} came before load")
            if request.preparing is None:
                self._prepare(request)
        except Exception as error:
            self._settle(request, error)
            return False
        preparing = request.preparing
        if preparing is None or preparing.is_over:
            return True
        preparing.when_over(lambda: self._channel.again(request))
        return False

    def _arrived(self, request: Request) -> None:
        if request.message.type != "load":
            # Whatever is wrong with it is wrong when its turn comes, too, and is answered then.
            with suppress(Exception):
                self._prepare(request)

    def _prepare(self, request: Request) -> None:
        task = self._task_of(request)
        request.preparing = task.prepare(request, self._network_of(task))
        # It may have been cancelled meanwhile, by the other thread.
        if request.cancelled:
            request.cancel()

    def _queue(self, requests: list[Request]) -> None:
        if not requests:
            return
        task = self._task_of(requests[0])
        for together in [[request] for request in requests] if task.streams else [requests]:
            self._runs.append(_Run(task, together, self._network_of(task)))

    def _task_of(self, request: Request) -> Task:
        """Raises ProtocolError where it cannot be done here, or not yet."""
        kind = request.message.type
        task = self._registry.tasks.get(kind)
        if task is None:
            raise ProtocolError(f"this worker has no task for {kind}")
        if task.network is not None and self._loaded is not None and task.network != self._loaded:
            raise ProtocolError(f"{kind} needs a network for {task.network}, this one is for {self._loaded}")
        return task

    def _network_of(self, task: Task) -> Any:
        return None if task.network is None or task.network != self._loaded else self._network

    # --- from runs to answers -------------------------------------------------------------------------------

    def _go_on(self) -> None:
        """Start the next piece where there is room for it, else wait for the oldest one."""
        depth = 1 if self._network is None else self._network.depth
        if self._runs and len(self._under_way) < depth:
            self._start(self._runs.popleft())
        elif self._under_way:
            self._collect(*self._under_way.popleft())

    def _start(self, run: _Run) -> None:
        try:
            if run.streams:
                self._check_stream(run)
            run.is_begun = True
            piece = next(run.pieces, None)
        except Exception as error:
            piece, run.end = None, error
        if piece is None:
            run.end = run.end or WorkerError("the task ended without a result")
            self._end(run)
            return
        run.under_way += 1
        self._under_way.append((run, piece))
        if not run.streams:
            self._runs.append(run)

    def _check_stream(self, run: _Run) -> None:
        before = "its answer was complete" if run.is_begun else "its turn came"
        _check_wanted(run.requests[0], before)
        if self._is_stopping:
            raise Closed(f"the worker was asked to stop before {before}")

    def _collect(self, run: _Run, piece: Started) -> None:
        try:
            for request, outcome in piece.collect():
                self._settle(request, outcome)
        except Exception as error:
            for request in piece.requests:
                self._settle(request, error)
        run.under_way -= 1
        if run.end is not None:
            self._end(run)
        elif run.streams and not run.is_answered:
            self._runs.append(run)
        elif run.streams:
            self._close(run)

    def _end(self, run: _Run) -> None:
        """Once everything of it is collected, nobody is left without an answer."""
        if run.under_way == 0 and run.end is not None:
            for request in run.requests:
                self._settle(request, run.end)
            self._close(run)

    def _close(self, run: _Run) -> None:
        try:
            run.pieces.close()
        except Exception as error:
            # Everybody has an answer by now.
            self._channel.log("warning", f"a task failed behind its answer: {_known(error).message}")

    def _settle(self, request: Request, outcome: Outcome) -> None:
        """Send what became of a request; nothing where it has its answer already."""
        if request.is_answered:
            return
        id_, generation = request.message.id, request.message.generation
        if isinstance(outcome, Part):
            self._channel.send(Message("part", id_, generation, {"sequence": request.parts}, outcome.frames))
            request.parts += 1
        elif isinstance(outcome, Result):
            fields = {"timings": dict(outcome.timings), "batch": outcome.batch}
            self._answer(request, Message("result", id_, generation, fields, outcome.frames))
        else:
            known = _known(outcome)
            self._answer(request, error_message(known, id_, self._channel.generation))
            self._end_with(known, request)

    def _answer(self, request: Request, reply: Message) -> None:
        self._channel.finish(request)
        self._channel.send(reply)
        request.is_answered = True

    def _end_with(self, error: WorkerError, request: Request) -> None:
        """End the worker where it cannot go on after such an error."""
        if self._network is None:
            if request.message.type == "load":
                self._exit_code = error.exit_code
                # The answer may not get there before the process ends.
                print(f"isotorch_worker: {error.message}", file=sys.stderr)
        elif error.code == "WORKER_ERROR" and self._network.is_broken():
            # After such an error a CUDA context answers nothing any more; another process gets a new one.
            self._exit_code = RESTART


def _pieces(task: Task, requests: Sequence[Request], network: Any) -> Pieces:
    """What ``run`` gives; nothing of it happens before the first piece is asked for."""
    yield from task.run(requests, network)


def _check_wanted(request: Request, before: str) -> None:
    if request.cancelled:
        raise Aborted(f"cancelled before {before}")
    if request.overdue:
        raise DeadlineExceeded(f"the deadline passed before {before}")


def _known(error: Exception) -> WorkerError:
    if isinstance(error, WorkerError):
        return error
    if isinstance(error, MemoryError):
        known: WorkerError = OutOfMemory("not enough memory")
    else:
        known = import_failure(error) or WorkerError(f"{type(error).__name__}: {error}")
    known.__cause__ = error
    return known
