"""Pictures through the network, as many requests together as come together: the answer to `classify`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

from isotorch_worker.inbox import Request
from isotorch_worker.pictures.picture_pool import Decoding, Pictures
from isotorch_worker.pictures.picture_reader import Encoded
from isotorch_worker.runtime.batch import runs
from isotorch_worker.task import Outcome, Pieces, Started, Task
from isotorch_worker.tasks.image_classification.session import Session

if TYPE_CHECKING:
    from isotorch_worker.runtime.compute import Running
    from isotorch_worker.tasks.image_classification.infer import Output
    from isotorch_worker.tasks.image_classification.job import Job, Row


class ImageClassification(Task):
    """What a load for image classification is for."""

    network = "image-classification"

    def __init__(self, pictures: Pictures) -> None:
        self._pictures = pictures

    def prepare(self, request: Request, network: Session | None) -> Decoding | None:
        """Give a file to the picture processes, once it is known what the network wants of it."""
        fields = request.message.fields
        if network is None or fields["handoff"] != "encoded":
            return None
        data = request.message.frames["encoded"][1]
        return self._pictures.submit(Encoded(data, fields["maxPixels"], network.spec, until=request.until))

    def run(self, requests: Sequence[Request], network: Session) -> Pieces:
        from isotorch_worker.tasks.image_classification.job import Job

        jobs: list[Job] = []
        refused: list[tuple[Request, Exception]] = []
        for request in requests:
            try:
                jobs.append(Job(request, network.spec))
            except Exception as error:
                refused.append((request, error))
        if refused:
            yield Started([request for request, _ in refused], lambda: refused)
        for rows in runs((row.key, row) for job in jobs for row in job.rows):
            begun = 0
            for running in network.computer.run([row.tensor for row in rows]):
                part = rows[begun : begun + running.count]
                begun += running.count
                yield Started([row.job.request for row in part], partial(_collected, running, part, network))


def _collected(
    running: Running[Output], rows: Sequence[Row], session: Session
) -> Iterator[tuple[Request, Outcome]]:
    computed = running.finish()
    for number, row in enumerate(rows):
        if row.job.add(computed, number, running):
            yield row.job.request, row.job.outcome()
    session.answered(len(rows))
