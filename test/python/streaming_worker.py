"""The real worker with a task that counts in the place of `classify`: its answers come in parts.

It counts to ``topK``. The first value of the tensor is the seconds that a part takes; where it is negative
the task fails at the number of that size.
"""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "python"))

import numpy as np

from fake_channel import Counting
from isotorch_worker import __main__
from isotorch_worker.tasks.registry import registry


def value(request):
    return float(np.frombuffer(request.message.frames["tensor"][1], "<f4")[0])


class Failing(Counting):
    def piece(self, request, number):
        if number == -value(request):
            raise RuntimeError(f"no {number}")
        return super().piece(request, number)


def counting():
    real = registry()
    task = Failing(lambda request: request.message.fields["topK"], lambda request: max(value(request), 0.0))
    return real._replace(tasks={**real.tasks, "classify": task})


if __name__ == "__main__":
    os._exit(__main__.main(["serve"], counting))
