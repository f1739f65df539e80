"""The loop: load once, then receive -> decode -> infer -> encode -> send, until the controller says stop."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from isotorch_worker import lifetime
from isotorch_worker.ahead import Ahead
from isotorch_worker.channel import Channel, Request, error_message
from isotorch_worker.errors import (
    Aborted,
    Closed,
    DeadlineExceeded,
    EnvironmentBroken,
    OutOfMemory,
    ProtocolError,
    WorkerError,
)
from isotorch_worker.load import Session, load
from isotorch_worker.startup import Startup
from isotorch_worker.wire import Descriptor, Frames, Message, Payload

if TYPE_CHECKING:
    import torch

RESTART = 1


def serve(startup: Startup, ahead: Ahead | None = None) -> int:
    """Serve one controller until it says stop; returns the process's exit code (docs/protocol.md).

    ``ahead`` imports what a load needs already.

    Raises StartupError if the endpoint cannot be used.
    """
    channel = Channel(startup)
    lifetime.watch_stdin()
    try:
        return _work(channel, ahead)
    finally:
        channel.close()


def _work(channel: Channel, ahead: Ahead | None) -> int:
    session: Session | None = None
    while True:
        try:
            request = channel.next()
        except WorkerError as error:
            channel.send(error_message(error, 0, channel.generation))
            return error.exit_code
        if request is None:
            return _refuse_waiting(channel)
        try:
            if request.message.type == "load":
                _expect(session is None, "a second load")
                session, reply = load(channel, request.message, ahead)
            else:
                _check_still_wanted(request)
                reply = _answer(session, request)
        except Exception as error:
            code = _report(channel, request, error, session)
            if code is not None:
                return code
        else:
            channel.finish(request)
            channel.send(reply)


def _report(channel: Channel, request: Request, error: Exception, session: Session | None) -> int | None:
    """Answer with the error; the exit code if the process cannot go on after it."""
    known = _known(error)
    channel.finish(request)
    channel.send(error_message(known, request.message.id, channel.generation))
    if session is None and request.message.type == "load":
        return known.exit_code
    if session is not None and known.code == "WORKER_ERROR":
        from isotorch_worker.device import is_broken

        # After such an error a CUDA context answers nothing any more; another process gets a new one.
        if is_broken(session.device):
            return RESTART
    return None


def _known(error: Exception) -> WorkerError:
    if isinstance(error, WorkerError):
        return error
    if isinstance(error, ImportError):
        known: WorkerError = EnvironmentBroken(
            f"an import failed: {error}", "run `isotorch doctor` to see what is missing"
        )
    elif isinstance(error, MemoryError):
        known = OutOfMemory("not enough memory")
    else:
        known = WorkerError(f"{type(error).__name__}: {error}")
    known.__cause__ = error
    return known


def _refuse_waiting(channel: Channel) -> int:
    for request in channel.unfinished():
        error = Closed("the worker was asked to stop before this request's turn came")
        channel.send(error_message(error, request.message.id, channel.generation))
    return 0


def _check_still_wanted(request: Request) -> None:
    if request.cancelled:
        raise Aborted("cancelled before its turn came")
    if request.overdue:
        raise DeadlineExceeded("the deadline passed before its turn came")


def _expect(condition: bool, otherwise: str) -> None:
    if not condition:
        raise ProtocolError(otherwise)


# --- infer and decode ---------------------------------------------------------------------------------------


def _answer(session: Session | None, request: Request) -> Message:
    message = request.message
    timer = _Timer(request.received)
    if message.type == "decode":
        return _decode(message, timer)
    if session is None:
        raise ProtocolError(f"{message.type} came before load")
    from isotorch_worker import infer

    batch = _batch(message, session.spec)
    timer.mark("prepare")
    logits = infer.forward(session.network, batch, session.device)
    timer.mark("forward")
    ranking = infer.rank(logits, message.fields["topK"])
    timer.mark("rank")
    tensors = [("indices", ranking.indices), ("scores", ranking.scores), ("percentages", ranking.percentages)]
    if "logits" in message.fields["include"]:
        tensors.append(("logits", logits.cpu()))
    if "probabilities" in message.fields["include"]:
        tensors.append(("probabilities", ranking.probabilities))
    frames = {name: _frame(name, tensor) for name, tensor in tensors}
    return Message(
        "result", message.id, message.generation, {"timings": timer.timings, "batch": len(batch)}, frames
    )


def _decode(message: Message, timer: _Timer) -> Message:
    from isotorch_worker import picture

    wanted = message.fields
    data, shape = picture.decode_pixels(
        message.frames["encoded"][1], wanted["exif"], wanted["icc"], wanted["mode"]
    )
    timer.mark("decode")
    frames: Frames = {"pixels": (Descriptor("pixels", "|u1", shape), data)}
    return Message("result", message.id, message.generation, {"timings": timer.timings, "batch": 1}, frames)


def _batch(message: Message, spec: dict[str, Any]) -> torch.Tensor:
    from isotorch_worker import infer

    descriptor, payload = message.frames[message.fields["handoff"]]
    if descriptor.name == "encoded":
        return infer.tensor_from_encoded(payload, spec)
    # torch wants memory that may be written; copying 600 KB takes 0.05 ms.
    data = bytearray(payload)
    if descriptor.name == "pixels":
        return infer.tensor_from_pixels(data, descriptor.shape, spec)
    return infer.tensor_from_floats(data, descriptor.shape)


def _frame(name: str, tensor: torch.Tensor) -> tuple[Descriptor, Payload]:
    dtype = "<i8" if name == "indices" else "<f4"
    return Descriptor(name, dtype, tuple(tensor.shape)), tensor.numpy().tobytes()


class _Timer:
    """Milliseconds by stage; ``queue`` is the time from receiving to here."""

    def __init__(self, received: float) -> None:
        self.timings = {"queue": (time.monotonic() - received) * 1000}
        self._last = time.perf_counter()

    def mark(self, name: str) -> None:
        now = time.perf_counter()
        self.timings[name] = (now - self._last) * 1000
        self._last = now
