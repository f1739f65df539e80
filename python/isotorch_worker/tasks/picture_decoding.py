"""What Pillow reads in a file, and what torchvision's transforms make of it: the answer to `decode`."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from isotorch_worker.inbox import Request
from isotorch_worker.pictures.picture_pool import Decoding, Pictures
from isotorch_worker.pictures.picture_reader import Encoded
from isotorch_worker.pictures.spec import crop_size
from isotorch_worker.protocol.wire import Descriptor, Frames
from isotorch_worker.task import Pieces, Result, Started, Task


class PictureDecoding(Task):
    """Needs no network."""

    def __init__(self, pictures: Pictures) -> None:
        self._pictures = pictures

    def prepare(self, request: Request, network: None) -> Decoding:
        """Give the file to the picture processes."""
        fields = request.message.fields
        how = {name: fields[name] for name in ("exif", "icc", "mode", "picture")}
        data = request.message.frames["encoded"][1]
        return self._pictures.submit(
            Encoded(data, fields["maxPixels"], fields["spec"], until=request.until, **how)
        )

    def run(self, requests: Sequence[Request], network: None) -> Pieces:
        for request in requests:
            yield Started([request], partial(_decoded, request))


def _decoded(request: Request) -> Iterator[tuple[Request, Result]]:
    if not isinstance(request.preparing, Decoding):
        raise ValueError("the picture was not decoded")
    decoded = request.preparing.future.result()
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
        shape = (*crop_size(spec), 3)
        frames["cropped"] = (Descriptor("cropped", "|u1", shape), decoded.cropped)
        frames["tensor"] = (Descriptor("tensor", "<f4", tuple(tensor.shape)), tensor.numpy().tobytes())
        timings["preprocess"] = decoded.shape + (time.perf_counter() - began) * 1000
    queue = (time.monotonic() - request.received) * 1000 - sum(timings.values())
    yield request, Result({"queue": max(queue, 0.0), **timings}, frames)
