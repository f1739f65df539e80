"""The loop: load once, then receive -> prepare -> compute -> answer, until the controller says stop."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

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
from isotorch_worker.protocol.wire import Descriptor, Frames, Message, byte_frame
from isotorch_worker.runtime.batch import runs
from isotorch_worker.startup import Startup
from isotorch_worker.tasks.image_classification.load import Session, load

if TYPE_CHECKING:
    from isotorch_worker.pictures.picture_pool import Pictures
    from isotorch_worker.pictures.picture_reader import Decoded
    from isotorch_worker.runtime.compute import Running
    from isotorch_worker.tasks.image_classification.job import Job, Row

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
    worker = Worker(channel, imports)
    try:
        return worker.work()
    finally:
        worker.close()
        channel.close()


class Worker:
    """Takes requests from a channel in their order and answers each of them once."""

    def __init__(self, channel: Channel, imports: BackgroundImport | None = None) -> None:
        self._channel = channel
        self._imports = imports
        self._session: Session | None = None
        self._exit_code: int | None = None
        self._under_way: deque[tuple[Running[Any], list[Row]]] = deque()
        self._answers = 0
        self._pictures: Pictures | None = None
        self._pictures_lock = threading.Lock()
        channel.arrived = self._begin

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

    def close(self) -> None:
        """End the picture processes, where there are any."""
        with self._pictures_lock:
            if self._pictures is not None:
                self._pictures.close()

    def _turn(self, requests: list[Request]) -> None:
        session = self._session
        if session is not None and (inferred := [one for one in requests if one.message.type == "classify"]):
            self._infer(session, inferred)
        for request in requests:
            if session is None or request.message.type != "classify":
                self._aside(request)

    def _aside(self, request: Request) -> None:
        """A request that needs no network."""
        message = request.message
        try:
            if message.type == "load":
                # What is under way was here before.
                self._collect_all()
                reply = self._load(request)
            else:
                _check_still_wanted(request)
                if message.type == "decode":
                    if not self._is_decoded(request):
                        return
                    reply = _decode_reply(request)
                else:
                    self._collect_all()
                    reply = _attest_reply(request)
        except Exception as error:
            self._fail(request, error)
        else:
            self._answer(request, reply)

    def _load(self, request: Request) -> Message:
        if self._session is not None:
            raise ProtocolError("a second load")
        self._session, reply = load(self._channel, request.message, self._imports)
        return reply

    # --- classify -------------------------------------------------------------------------------------------

    def _infer(self, session: Session, requests: list[Request]) -> None:
        from isotorch_worker.tasks.image_classification.job import Job

        jobs: list[Job] = []
        for request in requests:
            try:
                _check_still_wanted(request)
                if self._is_decoded(request):
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

    # --- encoded pictures -----------------------------------------------------------------------------------

    def _begin(self, request: Request) -> None:
        """Give an encoded picture to the picture processes; at its arrival, while the network has others."""
        fields = request.message.fields
        session = self._session
        if request.message.type == "decode":
            spec, how = fields["spec"], {name: fields[name] for name in ("exif", "icc", "mode", "picture")}
        elif session is not None and fields.get("handoff") == "encoded":
            spec, how = session.spec, {}
        else:
            return
        from isotorch_worker.pictures.picture_pool import Pictures
        from isotorch_worker.pictures.picture_reader import Encoded

        with self._pictures_lock:
            self._pictures = self._pictures or Pictures()
        data = request.message.frames["encoded"][1]
        encoded = Encoded(data, fields["maxPixels"], spec, until=request.until, **how)
        request.decoding = self._pictures.submit(encoded)
        # It may have been cancelled meanwhile, by the other thread.
        if request.cancelled:
            request.decoding.cancel()

    def _is_decoded(self, request: Request) -> bool:
        """Whether there is nothing to decode any more; if there is, the request comes back after it."""
        if request.decoding is None:
            # It came before the network was ready.
            self._begin(request)
        decoding = request.decoding
        for remark in self._pictures.remarks() if self._pictures is not None else ():
            self._channel.log("warning", remark)
        if decoding is None or decoding.is_over:
            return True
        decoding.future.add_done_callback(lambda _: self._channel.again(request))
        return False

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
            from isotorch_worker.runtime.device import is_broken

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


def _attest_reply(request: Request) -> Message:
    if request.message.type != "attest":
        raise ProtocolError(f"{request.message.type} came before load")
    from isotorch_worker.pictures.attest import attestation

    queue = (time.monotonic() - request.received) * 1000
    text = json.dumps(attestation(request.message.fields["spec"]))
    return _result(request, {"queue": queue}, byte_frame("attestation", text.encode()))


def _decode_reply(request: Request) -> Message:
    """What Pillow read in a file; with a ``spec`` also what torchvision's transforms make of it."""
    if request.decoding is None:
        raise ValueError("the picture was not decoded")
    decoded: Decoded = request.decoding.future.result()
    frames: Frames = {}
    if decoded.pixels is not None:
        shape = (decoded.height, decoded.width, 3)
        frames["picture"] = (Descriptor("picture", "|u1", shape), decoded.pixels)
    timings = {"decode": decoded.decode}
    spec: Mapping[str, Any] | None = request.message.fields["spec"]
    if spec is not None and decoded.cropped is not None:
        from isotorch_worker.pictures.transforms import normalized_bytes

        began = time.perf_counter()
        tensor = normalized_bytes(decoded.cropped, spec)
        shape = (spec["crop"], spec["crop"], 3)
        frames["cropped"] = (Descriptor("cropped", "|u1", shape), decoded.cropped)
        frames["tensor"] = (Descriptor("tensor", "<f4", tuple(tensor.shape)), tensor.numpy().tobytes())
        timings["preprocess"] = decoded.shape + (time.perf_counter() - began) * 1000
    queue = (time.monotonic() - request.received) * 1000 - sum(timings.values())
    return _result(request, {"queue": max(queue, 0.0), **timings}, frames)


def _result(request: Request, timings: Mapping[str, float], frames: Frames) -> Message:
    message = request.message
    return Message("result", message.id, message.generation, {"timings": timings, "batch": 1}, frames)
