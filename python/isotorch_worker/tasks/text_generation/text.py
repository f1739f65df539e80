"""Texts that are continued, a part for each token, and looked into, a part for each stage.

Streams take turns, one step each; what a text is depends on nobody beside it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from isotorch_worker.inbox import Request
from isotorch_worker.protocol.errors import OutOfMemory
from isotorch_worker.protocol.wire import Descriptor, Frames
from isotorch_worker.task import Outcome, Part, Pieces, Result, Started, Task
from isotorch_worker.tasks.text_generation.session import Session

if TYPE_CHECKING:
    from torch import Tensor

    from isotorch_worker.tasks.text_generation.generation import Step, Stream, Wanted
    from isotorch_worker.tasks.text_generation.inspection import Stage

NETWORK = "text-generation"
# A prompt may take longer: after so much of it, other texts and whoever cancels have their turn.
SLICE_SECONDS = 0.1


class TextGeneration(Task):
    """The answer to `generate`."""

    network = NETWORK
    streams = True

    def run(self, requests: Sequence[Request], network: Session) -> Pieces:
        from isotorch_worker.tasks.text_generation.generation import Stream

        (request,) = requests
        began = time.monotonic()
        stream = Stream(network.network, _wanted(request))
        timings = {"queue": (began - request.received) * 1000, "prefill": 0.0, "decode": 0.0}
        while stream.finish_reason is None:
            yield Started(requests, partial(_token, request, stream, timings))


def _token(request: Request, stream: Stream, timings: dict[str, float]) -> Iterator[tuple[Request, Outcome]]:
    phase = "decode" if stream.tokens else "prefill"
    with _timed(timings, phase):
        step = stream.advance(SLICE_SECONDS)
        frames = None if step is None else _frames(step, request)
    if frames is not None:
        yield request, Part(frames)
    if stream.finish_reason is not None:
        yield request, Result(timings, {})


def _frames(step: Step, request: Request) -> Frames:
    frames = {
        "tokens": (Descriptor("tokens", "<i8", (1,)), step.token.to_bytes(8, "little")),
        "logprobs": _frame("logprobs", step.logprob),
    }
    if request.message.fields["candidates"] > 0:
        ids, logprobs = step.candidates
        frames["candidates"] = _frame("candidates", ids)
        frames["candidateLogprobs"] = _frame("candidateLogprobs", logprobs)
    if request.message.fields["logits"]:
        frames["logits"] = _frame("logits", step.logits)
    return frames


class TextInspection(Task):
    """The answer to `inspect`."""

    network = NETWORK
    streams = True

    def run(self, requests: Sequence[Request], network: Session) -> Pieces:
        from isotorch_worker.tasks.text_generation.inspection import stages

        (request,) = requests
        timings = {"queue": (time.monotonic() - request.received) * 1000, "forward": 0.0}
        prompt, include = _ids(request, "prompt"), request.message.fields["include"]
        each = stages(network.network, prompt, include)
        for left in range(network.network.config.layers + 1, -1, -1):
            yield Started(requests, partial(_stage, request, each, timings, left == 0))


def _stage(
    request: Request, each: Iterator[Stage], timings: dict[str, float], is_last: bool
) -> Iterator[tuple[Request, Outcome]]:
    with _timed(timings, "forward"):
        frames = {name: _frame(name, tensor) for name, tensor in next(each).items()}
    if frames:
        yield request, Part(frames)
    if is_last:
        yield request, Result(timings, {})


@contextmanager
def _timed(timings: dict[str, float], phase: str) -> Iterator[None]:
    """Count the milliseconds. Raises OutOfMemory in place of what torch says of that."""
    from isotorch_worker.runtime.device import is_out_of_memory

    began = time.perf_counter()
    try:
        yield
    except Exception as error:
        if is_out_of_memory(error):
            raise OutOfMemory("not enough memory for this text", "ask for fewer texts at once") from error
        raise
    finally:
        timings[phase] += (time.perf_counter() - began) * 1000


def _wanted(request: Request) -> Wanted:
    from isotorch_worker.tasks.text_generation.generation import Wanted
    from isotorch_worker.tasks.text_generation.sampling import Sampling

    fields = request.message.fields
    bias: list[float] = _values(request, "biases", "f")
    sampling = Sampling(
        fields["temperature"],
        fields["topK"],
        fields["topP"],
        fields["minP"],
        fields["repetitionPenalty"],
        dict(zip(_ids(request, "biasIds"), bias)),
        fields["seed"],
    )
    return Wanted(
        _ids(request, "prompt"),
        fields["maxTokens"],
        sampling,
        frozenset(_ids(request, "stopIds")),
        fields["candidates"],
    )


def _ids(request: Request, name: str) -> list[int]:
    return _values(request, name, "q")


def _values(request: Request, name: str, kind: str) -> list[Any]:
    """What a frame holds, by its letter in ``struct``; nothing where it is not there."""
    if name not in request.message.frames:
        return []
    return memoryview(request.message.frames[name][1]).cast("B").cast(kind).tolist()


def _frame(name: str, tensor: Tensor) -> tuple[Descriptor, bytes]:
    values = tensor.cpu().contiguous()
    dtype = "<f4" if values.is_floating_point() else "<i8"
    return Descriptor(name, dtype, tuple(values.shape)), values.numpy().tobytes()
