"""One `classify` on its way: its pictures as rows for the network, and its answer, part by part."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from isotorch_worker.inbox import Request
from isotorch_worker.pictures.picture_pool import Decoding
from isotorch_worker.pictures.picture_reader import Decoded
from isotorch_worker.pictures.transforms import normalized_bytes
from isotorch_worker.protocol.schema import INCLUDES
from isotorch_worker.protocol.wire import Descriptor, Frames, Message, Payload
from isotorch_worker.runtime.compute import Computed, Running
from isotorch_worker.task import Outcome, Result
from isotorch_worker.tasks.image_classification import infer
from isotorch_worker.tasks.image_classification.infer import Output


@dataclass(frozen=True)
class Row:
    """One picture of a request: float32 [1,3,H,W], or uint8 [1,H,W,3]."""

    job: Job
    tensor: Tensor

    @property
    def key(self) -> tuple[torch.dtype, torch.Size]:
        """Rows with the same key can be computed together."""
        return self.tensor.dtype, self.tensor.shape


class Job:
    """A request whose pictures are prepared; ``add`` takes what was computed, ``outcome`` is the answer."""

    def __init__(self, request: Request, spec: Mapping[str, Any]) -> None:
        """Raises BadTensor, or why its picture, which the picture processes had, was not decoded."""
        began = time.perf_counter()
        self.request = request
        decoded = request.preparing.future.result() if isinstance(request.preparing, Decoding) else None
        pictures = _pictures(request.message) if decoded is None else _picture(decoded, spec)
        self.rows = [Row(self, picture) for picture in pictures.split(1)]
        self._parts: list[tuple[Computed[Output], int]] = []
        self._batch = 0
        self._timings = {
            "queue": 0.0,
            "prepare": (time.perf_counter() - began) * 1000 + (decoded.took if decoded is not None else 0.0),
            "forward": 0.0,
            "rank": 0.0,
        }

    def add(self, computed: Computed[Output], row: int, running: Running[Output]) -> bool:
        """Take row number ``row`` of what was computed; whether the answer is complete."""
        timings = self._timings
        if not self._parts:
            timings["queue"] = max((running.started - self.request.received) * 1000 - timings["prepare"], 0.0)
        if not self._parts or self._parts[-1][0] is not computed:
            timings["forward"] += computed.forward
            timings["rank"] += computed.rank
        self._parts.append((computed, row))
        self._batch = max(self._batch, running.count)
        return len(self._parts) == len(self.rows)

    def outcome(self) -> Outcome:
        """The answer, or NonFiniteOutput."""
        try:
            return self._result()
        except Exception as error:
            return error

    def _result(self) -> Result:
        fields = self.request.message.fields
        rows = [[tensor[row : row + 1] for tensor in computed.output] for computed, row in self._parts]
        output = Output(*(_joined(list(tensors)) for tensors in zip(*rows)))
        infer.check_finite(output.logits)
        ranking = infer.ranking(output, fields["activation"], fields["topK"])
        tensors = {**output._asdict(), **ranking._asdict()}
        wanted = [
            "indices",
            "scores",
            "percentages",
            *(name for name in INCLUDES if name in fields["include"]),
        ]
        frames: Frames = {name: _frame(name, tensors[name]) for name in wanted}
        return Result(self._timings, frames, self._batch)


def _picture(decoded: Decoded, spec: Mapping[str, Any]) -> Tensor:
    if decoded.cropped is None:
        raise ValueError("the picture was not cropped")
    return normalized_bytes(decoded.cropped, spec)


def _pictures(message: Message) -> Tensor:
    descriptor, payload = message.frames[message.fields["handoff"]]
    # torch wants memory that may be written; copying 600 KB takes 0.05 ms.
    data = bytearray(payload)
    if descriptor.name == "pixels":
        # They are normalised on the device: a quarter of the bytes go there.
        return torch.frombuffer(data, dtype=torch.uint8).reshape(descriptor.shape)
    return infer.tensor_from_floats(data, descriptor.shape)


def _joined(tensors: list[Tensor]) -> Tensor:
    return tensors[0] if len(tensors) == 1 else torch.cat(tensors)


def _frame(name: str, tensor: Tensor) -> tuple[Descriptor, Payload]:
    dtype = "<i8" if name == "indices" else "<f4"
    return Descriptor(name, dtype, tuple(tensor.shape)), tensor.numpy().tobytes()
