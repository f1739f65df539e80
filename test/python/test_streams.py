"""Answers in parts, from a real worker over its socket."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from controller import DECODE, Controller

STREAMING = str(Path(__file__).with_name("streaming_worker.py"))
SECONDS = 60
# More parts than any test waits for, of 10 ms each.
ENDLESS, PAUSE = 1000, 0.01


@pytest.fixture(scope="module")
def worker(tmp_path_factory):
    """One worker for all tests."""
    started = Controller(tmp_path_factory.mktemp("worker") / "w", "-u", STREAMING)
    started.hello()
    yield started
    started.close()


def count(worker, id_, to, pause=PAUSE, **changes):
    tensor = np.full((1, 3, 2, 2), pause, np.float32)
    worker.infer(id_, "tensor", ("<f4", tensor.shape, tensor.tobytes()), topK=to, **changes)


def received(worker):
    """The next message: a part as its number, a result as such, an error as its code."""
    message = worker.until("part", "result", "error", timeout=SECONDS)
    return message.id, message.fields.get("sequence", message.fields.get("code", message.type)), message


def until_ends(worker, *ids):
    """What came for each id, until each had its end."""
    found = {id_: [] for id_ in ids}
    open_ = set(ids)
    while open_:
        id_, what, _ = received(worker)
        found[id_].append(what)
        if type(what) is str:
            open_.remove(id_)
    return found


def numbers(message, name, dtype):
    return np.frombuffer(message.frames[name][1], dtype).tolist()


def test_parts_come_in_their_order_with_their_frames_and_the_result_behind_them(worker):
    count(worker, 2, 3)
    got = [received(worker) for _ in range(4)]
    assert [what for _, what, _ in got] == [0, 1, 2, "result"]
    assert [numbers(message, "tokens", "<i8") for _, _, message in got] == [[0], [1], [2], [0, 1, 2]]
    assert [numbers(message, "logprobs", "<f4") for _, _, message in got[:3]] == [[0.0], [-0.5], [-1.0]]


def test_two_streams_take_turns(worker):
    count(worker, 2, ENDLESS)
    assert received(worker)[:2] == (2, 0)
    count(worker, 3, 20)
    turns = []
    while (found := received(worker)[:2]) != (3, "result"):
        turns.append(found[0])
    theirs = turns[turns.index(3) :]
    assert theirs == [3, 2] * 20
    worker.send("cancel", 2)
    assert until_ends(worker, 2)[2][-1] == "ABORTED"


def test_cancel_and_the_deadline_are_heard_between_parts(worker):
    count(worker, 2, ENDLESS)
    count(worker, 3, ENDLESS, deadlineMs=300)
    assert received(worker)[1] == 0
    worker.send("cancel", 2)
    found = until_ends(worker, 2, 3)
    assert found[2][-1] == "ABORTED"
    assert found[3][-1] == "DEADLINE_EXCEEDED"
    # Nothing comes behind an end.
    count(worker, 4, 1)
    assert until_ends(worker, 4) == {4: [0, "result"]}


def test_a_stream_that_fails_costs_another_and_a_picture_beside_it_nothing(worker, jpeg):
    count(worker, 2, 30)
    count(worker, 3, 30, pause=-4)
    worker.send("decode", 4, DECODE, encoded=("|u1", (len(jpeg),), jpeg))
    assert until_ends(worker, 2, 3, 4) == {
        2: [*range(30), "result"],
        3: [0, 1, 2, 3, "WORKER_ERROR"],
        4: ["result"],
    }


def test_a_picture_is_read_while_a_stream_goes_on(worker, jpeg):
    count(worker, 2, ENDLESS)
    assert received(worker)[:2] == (2, 0)
    worker.send("decode", 3, DECODE, encoded=("|u1", (len(jpeg),), jpeg))
    while (found := received(worker)[:2])[0] == 2:
        assert type(found[1]) is int, "the stream ended first"
    assert found == (3, "result")
    worker.send("cancel", 2)
    assert until_ends(worker, 2)[2][-1] == "ABORTED"


def test_stop_ends_a_stream_at_its_next_part(worker):
    count(worker, 2, ENDLESS)
    count(worker, 3, ENDLESS)
    assert received(worker)[1] == 0
    worker.send("stop", 0)
    found = until_ends(worker, 2, 3)
    assert (found[2][-1], found[3][-1]) == ("CLOSED", "CLOSED")
    assert len(found[2]) < ENDLESS
    assert worker.wait(SECONDS) == 0
