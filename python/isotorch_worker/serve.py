"""The loop: load once, then receive -> prepare -> compute -> answer, until the controller says stop."""

from __future__ import annotations

import json
import sys
import time
from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from isotorch_worker import lifetime
from isotorch_worker.background import BackgroundImport
from isotorch_worker.batch import runs
from isotorch_worker.channel import Channel, Request, Stopped, byte_frame, error_message
from isotorch_worker.errors import (
    Aborted,
    Closed,
    DeadlineExceeded,
    OutOfMemory,
    ProtocolError,
    WorkerError,
)
from isotorch_worker.imports import import_failure
from isotorch_worker.load import Session, load
from isotorch_worker.startup import Startup
from isotorch_worker.table import exit_status
from isotorch_worker.wire import Descriptor, Frames, Message, Payload

if TYPE_CHECKING:
    from PIL.Image import Image

    from isotorch_worker.compute import Running
    from isotorch_worker.job import Job, Row

RESTART = exit_status("again")
# A session that was asked for so many pictures will be asked for more: it pays to prepare for them.
IMPROVE_AFTER = 3


def serve(startup: Startup, imports: BackgroundImport | None = None) -> int:
    """Serve one controller until it says stop; returns the process's exit code (docs/protocol.md).

    ``imports`` has begun to import what a load needs.

    Raises StartupError if the endpoint cannot be used.
    """
    channel = Channel(startup)
    lifetime.watch_stdin()
    try:
        return Worker(channel, imports).work()
    finally:
        channel.close()


class Worker:
    """Takes requests from a channel in their order and answers each of them once."""

    def __init__(self, channel: Channel, imports: BackgroundImport | None = None) -> None:
        self._channel = channel
        self._imports = imports
        self._session: Session | None = None
        self._exit_code: int | None = None
        self._under_way: deque[tuple[Running, list[Row]]] = deque()
        self._answers = 0

    def work(self) -> int:
        """Until the controller says stop, or the process cannot go on; returns its exit code."""
        try:
            while self._exit_code is None:
                requests = self._channel.next(wait=not self._under_way)
                if requests:
                    self._turn(requests)
                else:
                    self._collect()
        except Stopped:
            self._finish()
            return 0
        except WorkerError as error:
            self._channel.send(error_message(error, 0, self._channel.generation))
            return error.exit_code
        return self._exit_code

    def _turn(self, requests: list[Request]) -> None:
        if requests[0].message.type == "infer" and self._session is not None:
            self._infer(self._session, requests)
            return
        # What is under way was here before.
        self._collect_all()
        for request in requests:
            try:
                if request.message.type == "load":
                    reply = self._load(request)
                else:
                    _check_still_wanted(request)
                    reply = _aside(request)
            except Exception as error:
                self._fail(request, error)
            else:
                self._answer(request, reply)

    def _load(self, request: Request) -> Message:
        if self._session is not None:
            raise ProtocolError("a second load")
        self._session, reply = load(self._channel, request.message, self._imports)
        return reply

    # --- infer ----------------------------------------------------------------------------------------------

    def _infer(self, session: Session, requests: list[Request]) -> None:
        from isotorch_worker.job import Job

        jobs: list[Job] = []
        for request in requests:
            try:
                _check_still_wanted(request)
                jobs.append(Job(request, session.spec))
            except Exception as error:
                self._fail(request, error)
        for rows in runs((row.key, row) for job in jobs for row in job.rows):
            begun = 0
            for running in session.computer.run([row.tensor for row in rows]):
                self._under_way.append((running, rows[begun : begun + running.count]))
                begun += running.count
                while len(self._under_way) >= session.computer.depth:
                    self._collect()

    def _collect(self) -> None:
        """Wait for the oldest pictures under way, and answer the requests that are complete with them."""
        running, rows = self._under_way.popleft()
        try:
            computed = running.finish()
        except Exception as error:
            for row in rows:
                self._settle(row.job, error)
            return
        for number, row in enumerate(rows):
            if row.job.add(computed, number, running):
                self._settle(row.job)
        self._answers += len(rows)
        if self._session is not None and self._answers >= IMPROVE_AFTER:
            self._session.computer.improve()

    def _settle(self, job: Job, error: Exception | None = None) -> None:
        if job.settled:
            return
        job.settled = True
        try:
            if error is not None:
                raise error
            reply = job.reply()
        except Exception as problem:
            self._fail(job.request, problem)
        else:
            self._answer(job.request, reply)

    def _collect_all(self) -> None:
        while self._under_way:
            self._collect()

    # --- answers --------------------------------------------------------------------------------------------

    def _answer(self, request: Request, reply: Message) -> None:
        self._channel.finish(request)
        self._channel.send(reply)

    def _fail(self, request: Request, error: Exception) -> None:
        """Answer with the error, and end the worker where it cannot go on after it."""
        known = _known(error)
        self._answer(request, error_message(known, request.message.id, self._channel.generation))
        if self._session is None:
            if request.message.type == "load":
                self._exit_code = known.exit_code
                # The answer may not get there before the process ends.
                print(f"isotorch_worker: {known.message}", file=sys.stderr)
        elif known.code == "WORKER_ERROR":
            from isotorch_worker.device import is_broken

            # After such an error a CUDA context answers nothing any more; another process gets a new one.
            if is_broken(self._session.device):
                self._exit_code = RESTART

    def _finish(self) -> None:
        self._collect_all()
        for request in self._channel.unfinished():
            error = Closed("the worker was asked to stop before this request's turn came")
            self._channel.send(error_message(error, request.message.id, self._channel.generation))


def _known(error: Exception) -> WorkerError:
    if isinstance(error, WorkerError):
        return error
    if isinstance(error, MemoryError):
        known: WorkerError = OutOfMemory("not enough memory")
    else:
        known = import_failure(error) or WorkerError(f"{type(error).__name__}: {error}")
    known.__cause__ = error
    return known


def _check_still_wanted(request: Request) -> None:
    if request.cancelled:
        raise Aborted("cancelled before its turn came")
    if request.overdue:
        raise DeadlineExceeded("the deadline passed before its turn came")


def _aside(request: Request) -> Message:
    """The answer to a request that needs no network."""
    message = request.message
    queue = (time.monotonic() - request.received) * 1000
    if message.type == "decode":
        timings, frames = _decode(message.fields, message.frames["encoded"][1])
    elif message.type == "attest":
        from isotorch_worker.attest import attestation

        timings, frames = (
            {},
            byte_frame("attestation", json.dumps(attestation(message.fields["spec"])).encode()),
        )
    else:
        raise ProtocolError(f"{message.type} came before load")
    return Message(
        "result", message.id, message.generation, {"timings": {"queue": queue, **timings}, "batch": 1}, frames
    )


def _decode(wanted: Mapping[str, Any], data: Payload) -> tuple[dict[str, float], Frames]:
    """What Pillow reads in a file; with a ``spec`` also what torchvision's transforms make of it."""
    from isotorch_worker.picture import decode_picture

    began = time.perf_counter()
    picture = decode_picture(data, wanted["exif"], wanted["icc"], wanted["mode"], wanted["maxPixels"])
    timings = {"decode": (time.perf_counter() - began) * 1000}
    frames = _pixels("picture", picture) if wanted["picture"] or wanted["spec"] is None else {}
    if wanted["spec"] is not None:
        from isotorch_worker.infer import preprocess

        began = time.perf_counter()
        cropped, tensor = preprocess(picture, wanted["spec"])
        frames |= _pixels("cropped", cropped)
        frames["tensor"] = (Descriptor("tensor", "<f4", tuple(tensor.shape)), tensor.numpy().tobytes())
        timings["preprocess"] = (time.perf_counter() - began) * 1000
    return timings, frames


def _pixels(name: str, picture: Image) -> Frames:
    shape = (picture.height, picture.width, 3)
    return {name: (Descriptor(name, "|u1", shape), picture.tobytes())}
