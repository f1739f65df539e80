"""Batches at the worker from outside: requests behind each other, each with an answer of its own."""

from __future__ import annotations

import io
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from controller import DECODE, Controller

TINY = str(Path(__file__).with_name("tiny_worker.py"))
SLOW, WIDE, BROKEN, HUGE = 3, 5, 13, 1e38


@pytest.fixture(scope="module")
def worker(tmp_path_factory):
    """One worker for all tests, around a tiny network, its batches computed together without a trial."""
    started = Controller(tmp_path_factory.mktemp("worker") / "w", "-u", TINY)
    assert started.ready(Path("/nowhere.pth"), precision="fused").fields["maxBatch"] == 4
    yield started
    started.close()


def send(worker, id_, first, following=0, **changes):
    tensor = np.full((1, 3, 8, 8), 0.5, np.float32)
    tensor[0, 0, 0, 0] = first
    worker.infer(id_, "tensor", ("<f4", tensor.shape, tensor.tobytes()), following=following, **changes)


def send_batch(worker, first_id, values, **changes):
    for number, value in enumerate(values):
        send(worker, first_id + number, value, len(values) - 1 - number, **changes)


def replies(worker, count):
    """By id: the result, or the error's code."""
    found = {}
    for _ in range(count):
        message = worker.until("result", "error", timeout=20)
        assert message.id not in found, "answered twice"
        found[message.id] = message if message.type == "result" else message.fields["code"]
    return found


def logit(message):
    """The first logit, which is the first value of the picture."""
    return float(np.frombuffer(message.frames["logits"][1], "<f4")[0])


def test_a_batch_is_computed_together_and_each_request_keeps_its_own_answer(worker):
    for number, top_k in enumerate([1, 5, 0, 2]):
        include = ["logits"] if number % 2 == 0 else ["logits", "probabilities"]
        send(worker, 10 + number, 0.1 * (number + 1), 3 - number, topK=top_k, include=include)
    found = replies(worker, 4)
    for number, top_k in enumerate([1, 5, 0, 2]):
        message = found[10 + number]
        assert message.fields["batch"] == 4
        assert set(message.fields["timings"]) == {"queue", "prepare", "forward", "rank"}
        assert logit(message) == pytest.approx(0.1 * (number + 1))
        assert message.frames["indices"][0].shape == (1, top_k or 1000)
        assert ("probabilities" in message.frames) == (number % 2 == 1)


def test_all_handoffs_go_in_one_batch(worker):
    pixels = np.full((1, 8, 8, 3), 51, np.uint8)
    png = io.BytesIO()
    Image.fromarray(pixels[0]).save(png, "PNG")
    data = png.getvalue()
    send(worker, 20, 0.2, 2, include=["logits"])
    worker.infer(21, "pixels", ("|u1", pixels.shape, pixels.tobytes()), ["logits"], following=1)
    worker.infer(22, "encoded", ("|u1", (len(data),), data), ["logits"])
    found = replies(worker, 3)
    assert [round(logit(found[id_]), 6) for id_ in (20, 21, 22)] == [0.2, 0.2, 0.2]


def test_one_that_fails_costs_its_neighbours_nothing(worker):
    values = [0.1, float("nan"), 0.3, HUGE]
    send_batch(worker, 30, values, include=["logits"])
    found = replies(worker, 4)
    assert (found[31], found[33]) == ("BAD_TENSOR", "NON_FINITE_OUTPUT")
    assert [logit(found[30]), logit(found[32])] == pytest.approx([0.1, 0.3])
    worker.infer(40, "encoded", ("|u1", (5,), b"hello"), following=2)
    send(worker, 41, BROKEN, 1)
    send(worker, 42, 0.4, 0, include=["logits"])
    found = replies(worker, 3)
    assert (found[40], found[41]) == ("UNSUPPORTED_FORMAT", "WORKER_ERROR")
    assert (logit(found[42]), found[42].fields["batch"]) == (pytest.approx(0.4), 1)


def test_those_cancelled_and_overdue_are_dropped_from_a_batch(worker):
    send(worker, 50, SLOW)
    send(worker, 51, 0.1, 2)
    send(worker, 52, 0.2, 1)
    send(worker, 53, 0.3, 0, deadlineMs=1)
    worker.send("cancel", 51)
    found = replies(worker, 4)
    assert (found[51], found[53]) == ("ABORTED", "DEADLINE_EXCEEDED")
    assert found[52].fields["batch"] == 1


def test_what_does_not_come_is_waited_for_a_second_and_no_longer(worker):
    began = time.monotonic()
    send(worker, 60, 0.1, 3)
    send(worker, 61, 0.2, 2)
    found = replies(worker, 2)
    assert time.monotonic() - began > 0.9
    assert found[60].fields["batch"] == 2


def test_a_batch_ends_where_another_begins_or_something_else_comes(worker):
    send(worker, 70, 0.1, 3)
    send_batch(worker, 71, [0.2, 0.3, 0.4, 0.5], include=["logits"])
    found = replies(worker, 5)
    assert [found[id_].fields["batch"] for id_ in range(70, 75)] == [1, 4, 4, 4, 4]
    data = b"hello"
    send(worker, 75, 0.1, 1)
    worker.send("decode", 76, DECODE, encoded=("|u1", (len(data),), data))
    found = replies(worker, 2)
    assert (found[75].fields["batch"], found[76]) == (1, "UNSUPPORTED_FORMAT")


def test_two_batches_of_the_largest_size_fit_beside_each_other(worker):
    send(worker, 100, SLOW)
    for first in (101, 105, 109):
        send_batch(worker, first, [0.1, 0.2, 0.3, 0.4])
    assert all(not isinstance(reply, str) for reply in replies(worker, 13).values())


def test_pings_are_answered_while_a_batch_computes(worker):
    send_batch(worker, 120, [SLOW, SLOW])
    worker.send("ping", 7)
    # Before the results, whatever the machine does besides.
    assert worker.until("pong", "result").type == "pong"
    assert len(replies(worker, 2)) == 2


def test_memory_that_runs_out_halves_the_batch_and_nobody_hears_of_it_but_the_log(worker):
    send_batch(worker, 90, [WIDE, 0.2, WIDE, 0.4], include=["logits"])
    log = worker.until("log", timeout=20)
    assert "not enough memory for 4 pictures" in log.fields["message"]
    found = replies(worker, 4)
    assert [found[id_].fields["batch"] for id_ in range(90, 94)] == [2, 2, 2, 2]
    assert logit(found[92]) == WIDE


def test_stop_within_a_batch_answers_what_came(worker):
    send(worker, 80, 0.1, 3)
    worker.send("stop", 0)
    found = replies(worker, 1)
    assert found[80] == "CLOSED" or found[80].fields["batch"] == 1
    assert worker.wait() == 0


def test_a_batch_that_is_allowed_only_single_pictures_computes_them_so(start):
    worker = start("-u", TINY)
    assert worker.ready(Path("/nowhere.pth"), precision="fused", maxBatch=1).fields["maxBatch"] == 1
    send_batch(worker, 10, [0.1, 0.2])
    assert [reply.fields["batch"] for reply in replies(worker, 2).values()] == [1, 1]


def test_exact_says_what_its_trial_found(start):
    worker = start("-u", TINY)
    worker.ready(Path("/nowhere.pth"), precision="exact")
    for first in (10, 20):
        send_batch(worker, first, [0.1, 0.2, 0.3, 0.4])
    received = [worker.receive(20) for _ in range(10)]
    assert [reply.fields["batch"] for reply in received if reply.type == "result"][:4] == [1, 1, 1, 1]
    packed, trial = [log.fields["message"] for log in received if log.type == "log"]
    assert "convolutions are packed" in packed
    assert "4 pictures together: the same bits as alone" in trial
