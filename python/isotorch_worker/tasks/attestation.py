"""What the environment makes of the attestation's pictures: the answer to `attest`."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from functools import partial

from isotorch_worker.inbox import Request
from isotorch_worker.protocol.wire import byte_frame
from isotorch_worker.task import Pieces, Result, Started, Task


class Attestation(Task):
    """Needs no network."""

    def run(self, requests: Sequence[Request], network: None) -> Pieces:
        for request in requests:
            yield Started([request], partial(_attested, request))


def _attested(request: Request) -> Iterator[tuple[Request, Result]]:
    from isotorch_worker.pictures.attest import attestation

    queue = (time.monotonic() - request.received) * 1000
    text = json.dumps(attestation(request.message.fields["spec"]))
    yield request, Result({"queue": queue}, byte_frame("attestation", text.encode()))
