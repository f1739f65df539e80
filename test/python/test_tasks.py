"""What serves tasks, and knows none of them: turns, parts, and how an answer ends. No socket, no process."""

from __future__ import annotations

import threading
from types import SimpleNamespace

import pytest

from fake_channel import Counting, FakeChannel, all_tokens, registry, tokens
from isotorch_worker.protocol.errors import BadTensor, ProtocolVersionError
from isotorch_worker.protocol.schema import REQUESTS
from isotorch_worker.protocol.table import choices
from isotorch_worker.protocol.wire import Message
from isotorch_worker.serve import RESTART, Worker
from isotorch_worker.task import Registry, Result, Started, Task
from isotorch_worker.tasks.registry import registry as real_registry

# More parts than are ever waited for.
MANY = 5000


@pytest.fixture
def channel():
    return FakeChannel()


def work(channel, **tasks):
    """Everything that was given to the channel, by these tasks."""
    return channel.work(Worker(channel, registry(**tasks)))


def done(request):
    return request, Result({}, {})


class Batches(Task):
    """Answers its requests, ``size`` with each piece; remembers what it did in its order."""

    def __init__(self, size=1, network=None):
        self.size = size
        self.network = network
        self.did = []

    def run(self, requests, network):
        for at in range(0, len(requests), self.size):
            piece = requests[at : at + self.size]
            ids = [request.message.id for request in piece]
            self.did.append(("start", *ids))
            yield Started(piece, lambda piece=piece, ids=ids: self.collected(piece, ids))

    def collected(self, piece, ids):
        self.did.append(("collect", *ids))
        yield from map(done, piece)


def network(depth=1, broken=False):
    return SimpleNamespace(depth=depth, is_broken=lambda: broken)


def loaded(channel, depth=1, broken=False, **tasks):
    """A worker whose load for "counting" is the next thing that it does."""
    ready = Message("ready", 1, 1)
    loads = {"counting": lambda *_: (network(depth, broken), ready)}
    worker = Worker(channel, Registry(tasks, loads))
    channel.give("load", 1, task="counting")
    return worker


# --- parts --------------------------------------------------------------------------------------------------


def test_parts_are_numbered_and_the_result_comes_behind_them(channel):
    channel.give("count", 2, count=3)
    assert work(channel, count=Counting()) == 0
    assert channel.told() == [(2, 0), (2, 1), (2, 2), (2, "result")]
    assert [one.frames for one in channel.sent] == [
        *(tokens(number).frames for number in range(3)),
        all_tokens(3).frames,
    ]
    assert channel.sent[-1].fields == {"timings": {"forward": 1.0}, "batch": 1}


def test_streams_take_turns_so_that_a_long_one_keeps_no_other_waiting(channel):
    channel.give("count", 2, count=5)
    channel.give("count", 3, count=2)
    channel.give("count", 4, count=0)
    work(channel, count=Counting())
    rounds = [
        [(2, 0), (3, 0)],
        [(2, 1), (4, "result"), (3, 1)],
        [(2, 2), (3, "result")],
        [(2, 3)],
        [(2, 4)],
        [(2, "result")],
    ]
    assert channel.told() == [one for turns in rounds for one in turns]


def test_a_request_that_comes_between_parts_is_begun_then(channel):
    channel.give("count", 2, count=4)
    channel.hears = lambda one: one.fields.get("sequence") == 1 and channel.give("quick", 3)
    work(channel, count=Counting(), quick=Batches())
    assert channel.told().index((3, "result")) < channel.told().index((2, 3))


def test_a_batch_and_a_stream_take_turns(channel):
    channel.give("count", 2, count=9)
    for number in range(3):
        channel.give("many", 3 + number, following=2 - number)
    work(channel, count=Counting(), many=Batches())
    told = channel.told()
    assert [id_ for id_, _ in told[:8]] in ([2, 3, 2, 4, 2, 5, 2, 2], [2, 2, 3, 2, 4, 2, 5, 2])


# --- how a stream ends --------------------------------------------------------------------------------------


def after(channel, id_, sequence, act):
    def hears(message):
        if (message.id, message.fields.get("sequence")) == (id_, sequence):
            act()

    channel.hears = hears


def test_cancelling_is_heard_between_parts(channel):
    task = Counting()
    channel.give("count", 2, count=MANY)
    channel.give("count", 3, count=5)
    after(channel, 2, 1, lambda: channel.requests[2].cancel())
    work(channel, count=task)
    told = channel.told()
    assert [what for id_, what in told if id_ == 2] == [0, 1, "ABORTED"]
    assert [what for id_, what in told if id_ == 3] == [0, 1, 2, 3, 4, "result"]
    assert channel.error(2) == "cancelled before its answer was complete"
    assert task.ended == [2, 3], "what it held is given back"


def test_a_deadline_is_heard_between_parts(channel):
    channel.give("count", 2, count=1000, pause=0.01, deadlineMs=200)
    work(channel, count=Counting())
    told = channel.told()
    assert len(told) > 1
    assert told[-1] == (2, "DEADLINE_EXCEEDED")
    assert channel.error(2) == "the deadline passed before its answer was complete"


def test_one_that_is_not_wanted_any_more_is_never_begun(channel):
    task = Counting()
    channel.give("count", 2, count=3).cancel()
    channel.give("count", 3, count=3, deadlineMs=0)
    work(channel, count=task)
    assert channel.told() == [(2, "ABORTED"), (3, "DEADLINE_EXCEEDED")]
    assert channel.error(2) == "cancelled before its turn came"
    assert task.begun == []


def test_stop_ends_a_stream_at_its_next_part_and_refuses_what_waits(channel):
    task = Counting()
    channel.give("count", 2, count=MANY)
    channel.give("count", 3, count=MANY)

    def stop():
        channel.stop()
        channel.give("count", 4, count=1)

    after(channel, 3, 0, stop)
    assert work(channel, count=task) == 0
    told = channel.told()
    assert [what for id_, what in told if id_ == 3] == [0, "CLOSED"]
    assert [what for id_, what in told if id_ == 2][-1] == "CLOSED"
    assert told[-1] == (4, "CLOSED")
    assert channel.error(3) == "the worker was asked to stop before its answer was complete"
    assert channel.error(4) == "the worker was asked to stop before this request's turn came"
    assert sorted(task.ended) == [2, 3]


def test_stop_lets_a_batch_that_was_begun_be_finished(channel):
    for number in range(4):
        channel.give("many", 2 + number, following=3 - number)
    channel.give("many", 6)
    channel.hears = lambda message: channel.stop()
    assert work(channel, many=Batches()) == 0
    assert channel.told() == [*((id_, "result") for id_ in range(2, 6)), (6, "CLOSED")]


class Faulty(Task):
    """Fails as its request asks for."""

    streams = True

    def run(self, requests, network):
        (request,) = requests
        how = request.message.fields["how"]
        yield Started(requests, lambda: [(request, tokens(0))])
        if how == "run":
            raise RuntimeError("in run")
        if how == "collect":
            yield Started(requests, self.fails)
        if how == "outcome":
            yield Started(requests, lambda: [(request, BadTensor("an outcome"))])
        if how == "twice":
            yield Started(requests, lambda: [done(request), done(request), (request, tokens(1))])
        if how == "late":
            try:
                yield Started(requests, lambda: [done(request)])
            finally:
                raise RuntimeError("too late")

    def fails(self):
        raise MemoryError


@pytest.mark.parametrize(
    ("how", "end", "message"),
    [
        ("run", "WORKER_ERROR", "RuntimeError: in run"),
        ("collect", "OUT_OF_MEMORY", "not enough memory"),
        ("outcome", "BAD_TENSOR", "an outcome"),
        ("nothing", "WORKER_ERROR", "the task ended without a result"),
        ("twice", "result", None),
        ("late", "result", None),
    ],
)
def test_a_stream_ends_once_however_its_task_ends_and_costs_the_others_nothing(channel, how, end, message):
    channel.give("count", 2, count=4)
    channel.give("faulty", 3, how=how)
    assert work(channel, count=Counting(), faulty=Faulty()) == 0
    told = channel.told()
    assert [what for id_, what in told if id_ == 3] == [0, end]
    assert [what for id_, what in told if id_ == 2] == [0, 1, 2, 3, "result"]
    if message is not None:
        assert channel.error(3) == message
    late = [("warning", "a task failed behind its answer: RuntimeError: too late")]
    assert channel.logs == (late if how == "late" else [])


# --- batches ------------------------------------------------------------------------------------------------


def test_a_batch_is_begun_when_the_one_before_it_has_nothing_left_to_start(channel):
    task = Batches(2)
    for first in (2, 6):
        for number in range(4):
            channel.give("many", first + number, following=3 - number)
    work(channel, many=task)
    pieces = [(2, 3), (4, 5), (6, 7), (8, 9)]
    assert task.did == [(what, *ids) for ids in pieces for what in ("start", "collect")]


def test_as_many_pieces_are_under_way_as_the_network_is_worth_and_the_oldest_is_collected(channel):
    task = Batches(network="counting")
    worker = loaded(channel, depth=2, many=task)
    for number in range(2):
        channel.give("many", 2 + number, following=1 - number)
    channel.give("many", 4)
    assert channel.work(worker) == 0
    assert task.did == [
        ("start", 2),
        ("start", 3),
        ("collect", 2),
        ("start", 4),
        ("collect", 3),
        ("collect", 4),
    ]


def test_an_error_of_one_piece_is_the_answer_of_those_in_it(channel):
    class Picky(Batches):
        def collected(self, piece, ids):
            if 3 in ids:
                yield done(piece[0])
                raise ValueError("no threes")
            yield from super().collected(piece, ids)

    for number in range(4):
        channel.give("many", 2 + number, following=3 - number)
    work(channel, many=Picky(2))
    assert channel.told() == [(2, "result"), (3, "WORKER_ERROR"), (4, "result"), (5, "result")]


def test_those_that_a_task_forgets_are_told_so(channel):
    class Forgetful(Task):
        def run(self, requests, network):
            yield Started(requests, lambda: [done(requests[0])])

    for number in range(2):
        channel.give("many", 2 + number, following=1 - number)
    work(channel, many=Forgetful())
    assert channel.told() == [(2, "result"), (3, "WORKER_ERROR")]


def test_what_is_done_behind_an_answer_delays_it_not(channel):
    class Tidy(Batches):
        def collected(self, piece, ids):
            yield from super().collected(piece, ids)
            self.did.append(("sent", [one.id for one in channel.sent]))

    task = Tidy()
    channel.give("many", 2)
    work(channel, many=task)
    assert task.did[-1] == ("sent", [2])


# --- networks -----------------------------------------------------------------------------------------------


def test_a_task_that_needs_a_network_is_refused_without_its_own(channel):
    needs, other = Batches(network="counting"), Batches(network="other")
    channel.give("needs", 2)
    worker = Worker(channel, registry(needs=needs))
    channel.work(worker)
    assert channel.told() == [(2, "PROTOCOL_ERROR")]
    assert channel.error(2) == "needs came before load"
    second = FakeChannel()
    worker = loaded(second, needs=needs, other=other)
    for id_, kind in ((2, "needs"), (3, "other"), (4, "unheard")):
        second.give(kind, id_)
    second.give("load", 5, task="counting")
    assert second.work(worker) == 0
    assert second.told() == [
        (1, "ready"),
        (2, "result"),
        *((id_, "PROTOCOL_ERROR") for id_ in (3, 4, 5)),
    ]
    assert second.error(3) == "other needs a network for other, this one is for counting"
    assert second.error(4) == "this worker has no task for unheard"
    assert second.error(5) == "a second load"


def test_a_load_that_fails_ends_the_worker_and_one_that_nobody_knows_too(channel, capsys):
    channel.give("load", 1, task="counting")
    assert work(channel) == 76
    assert channel.error(1) == "this worker has no network for counting"
    assert "no network for counting" in capsys.readouterr().err


@pytest.mark.parametrize(("broken", "code"), [(True, RESTART), (False, 0)])
def test_a_device_that_answers_nothing_any_more_ends_the_worker(channel, broken, code):
    worker = loaded(channel, broken=broken, faulty=Faulty())
    channel.give("faulty", 2, how="run")
    assert channel.work(worker) == code
    assert channel.told()[-1] == (2, "WORKER_ERROR")


def test_what_ends_the_worker_is_told(channel):
    channel.next = lambda wait: (_ for _ in ()).throw(ProtocolVersionError("protocol 3"))
    assert work(channel) == 76
    assert channel.told() == [(0, "PROTOCOL_ERROR")]


# --- preparing ----------------------------------------------------------------------------------------------


class Made:
    """Something that is over when a test says so."""

    def __init__(self):
        self.is_over = False
        self.is_cancelled = False
        self._call = None

    def when_over(self, call):
        self._call = call

    def cancel(self):
        self.is_cancelled = True
        self.end()

    def end(self):
        self.is_over = True
        if self._call is not None:
            self._call()


class Prepared(Batches):
    def __init__(self):
        super().__init__()
        self.made = {}

    def prepare(self, request, network):
        if request.message.fields.get("how") == "fails":
            raise ValueError("cannot be prepared")
        return self.made.setdefault(request.message.id, Made())


def test_a_request_comes_back_when_it_is_prepared_and_keeps_no_other_waiting(channel):
    task = Prepared()
    worker = Worker(channel, registry(slow=task, many=Batches()))
    channel.give("slow", 2)
    channel.give("slow", 3, how="fails")
    channel.give("many", 4)
    assert set(task.made) == {2}, "begun at its arrival"
    channel.hears = lambda message: message.id == 4 and task.made[2].end()
    channel.work(worker)
    assert channel.told() == [(3, "WORKER_ERROR"), (4, "result"), (2, "result")]
    assert channel.error(3) == "ValueError: cannot be prepared"


def test_cancelling_ends_what_is_prepared(channel):
    task = Prepared()
    worker = Worker(channel, registry(slow=task, many=Batches()))
    channel.give("slow", 2)
    channel.give("many", 3)
    channel.hears = lambda message: message.id == 3 and channel.requests[2].cancel()
    channel.work(worker)
    assert channel.told() == [(3, "result"), (2, "ABORTED")]
    assert task.made[2].is_cancelled


def test_what_tasks_keep_is_heard_and_closed(channel):
    closed = threading.Event()
    kept = SimpleNamespace(remarks=iter([["once"]] + [[]] * 99).__next__, close=closed.set)
    worker = Worker(channel, Registry({"many": Batches()}, {}, [kept]))
    channel.give("many", 2)
    channel.work(worker)
    assert channel.logs == [("warning", "once")]
    worker.close()
    assert closed.is_set()


# --- the registry -------------------------------------------------------------------------------------------


def test_every_request_of_the_protocol_has_its_task_and_every_load_its_loader():
    real = real_registry()
    assert {"load", *real.tasks} == set(REQUESTS)
    assert set(real.loads) == set(choices("task"))
    assert {task.network for task in real.tasks.values()} - {None} <= set(real.loads)
