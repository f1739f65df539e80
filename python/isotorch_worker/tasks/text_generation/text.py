"""Texts that are continued, a part for each token, and looked into, a part for each stage.

Streams take turns, one step each; what a text is depends on nobody beside it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from isotorch_worker.inbox import Request
from isotorch_worker.protocol.wire import Descriptor, Frames
from isotorch_worker.task import Outcome, Part, Pieces, Result, Started, Task
from isotorch_worker.tasks.text_generation.session import Session

if TYPE_CHECKING:
    from torch import Tensor

    from isotorch_worker.tasks.text_generation.generation import Step, Stream, Wanted
    from isotorch_worker.tasks.text_generation.inspection import Stage

NETWORK = "text-generation"


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
    began = time.perf_counter()
    phase = "decode" if stream.tokens else "prefill"
    step = stream.step()
    frames = _frames(step, request)
    timings[phase] += (time.perf_counter() - began) * 1000
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
        from isotorch_worker.tasks.text_generation.inspection import check_stages, stages

        (request,) = requests
        timings = {"queue": (time.monotonic() - request.received) * 1000, "forward": 0.0}
        prompt, include = _ids(request, "prompt"), request.message.fields["include"]
        check_stages(prompt, include, network.network.config)
        each = stages(network.network, prompt, include)
        for left in range(network.network.config.layers + 1, -1, -1):
            yield Started(requests, partial(_stage, request, each, timings, left == 0))


def _stage(
    request: Request, each: Iterator[Stage], timings: dict[str, float], is_last: bool
) -> Iterator[tuple[Request, Outcome]]:
    began = time.perf_counter()
    frames = {name: _frame(name, tensor) for name, tensor in next(each).items()}
    timings["forward"] += (time.perf_counter() - began) * 1000
    if frames:
        yield request, Part(frames)
    if is_last:
        yield request, Result(timings, {})


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
