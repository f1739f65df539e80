"""Batches through tiny networks: bits, memory, errors, two batches under way."""

from __future__ import annotations

import threading
import time

import pytest
import torch
from torch import Tensor, nn

from isotorch_worker.pictures.transforms import tensor_from_pixels
from isotorch_worker.protocol.errors import OutOfMemory
from isotorch_worker.runtime.compute import Computer, prepare
from isotorch_worker.runtime.copy import Immediate, Transfer
from isotorch_worker.runtime.device import largest_batch
from isotorch_worker.runtime.graphs import Graphed
from isotorch_worker.runtime.lanes import Lanes
from isotorch_worker.runtime.model import transforms_spec
from isotorch_worker.runtime.pack import PackedConv, pack
from isotorch_worker.runtime.threads import set_threads
from isotorch_worker.tasks.image_classification import infer
from tiny_networks import Async, OtherBits, SlowAlone, Small, Timed, Tiny

CPU = torch.device("cpu")
SPEC = {**transforms_spec("IMAGENET1K_V1"), "crop": 8}
CLASSES = 1000


def pictures(count: int, seed: int = 1) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return list(torch.randn(count, 3, 8, 8, generator=generator).split(1))


def computer(network: nn.Module, most: int = 8, exact: bool = False, queue=None, log=None) -> Computer:
    made = Computer(network, infer.output(CLASSES), Transfer(CPU, SPEC, queue), most, exact, log)
    # There is nothing to pack in these networks; from here on batches are tried.
    made.improve()
    return made


def answers(made: Computer, rows: list[Tensor]) -> list[Tensor]:
    logits = torch.cat([running.finish().output.logits for running in made.run(rows)])
    return list(logits.split(1))


def test_pictures_are_computed_in_powers_of_two_and_in_their_order():
    network = Tiny()
    rows = pictures(15)
    made = answers(computer(network), rows)
    assert network.sizes == [8, 4, 2, 1]
    network.sizes.clear()
    assert torch.equal(torch.cat(made), torch.cat([network(row) for row in rows]))


def test_the_ranking_of_each_row_is_the_one_that_it_has_alone():
    rows = pictures(4)
    (running,) = computer(Tiny()).run(rows)
    output = running.finish().output
    for number, row in enumerate(rows):
        alone = infer.ranking(infer.output(CLASSES)(Tiny()(row)), "softmax", 0)
        part = infer.ranking(infer.Output(*(tensor[number : number + 1] for tensor in output)), "softmax", 7)
        assert part.indices.shape == (1, 7)
        assert torch.equal(part.indices, alone.indices[:, :7])
        assert torch.equal(part.percentages, alone.percentages[:, :7])
        assert torch.equal(part.probabilities, alone.probabilities)


def test_exact_computes_together_only_after_a_trial_with_equal_bits_and_a_gain():
    said: list[str] = []
    network = Timed(lambda _: 0.02)
    made = computer(network, 4, exact=True, queue=network.clock, log=lambda _level, text: said.append(text))
    rows = pictures(4)
    expected = torch.cat([Tiny()(row) for row in rows])
    assert torch.equal(torch.cat(answers(made, rows)), expected)
    assert network.sizes == [1, 1, 1, 1, 4, 4, 4]
    assert "the same bits as alone" in said[-1]
    network.sizes.clear()
    assert torch.equal(torch.cat(answers(made, rows)), expected)
    assert network.sizes == [4]


def test_exact_never_answers_with_bits_that_a_batch_changed():
    said: list[str] = []
    network = OtherBits()
    made = computer(network, 4, exact=True, log=lambda _level, text: said.append(text))
    expected = torch.cat([Tiny()(row) for row in pictures(4)])
    for _ in range(4):
        assert torch.equal(torch.cat(answers(made, pictures(4))), expected)
    assert network.sizes[-4:] == [1, 1, 1, 1], "both sizes were tried and given up"
    assert any("other bits than alone" in text for text in said)


def test_exact_computes_one_by_one_where_a_batch_wins_nothing_and_asks_again_later():
    network = Timed(lambda count: 0.01 * count**2)
    made = computer(network, 2, exact=True, queue=network.clock)
    answers(made, pictures(2))
    assert network.sizes == [1, 1, 2, 2, 2]
    network.sizes.clear()
    for _ in range(32):
        answers(made, pictures(2))
    assert network.sizes == [1, 1] * 32
    network.sizes.clear()
    answers(made, pictures(2))
    assert network.sizes == [1, 1, 2, 2, 2]
    network.sizes.clear()
    for _ in range(4 * 32):
        answers(made, pictures(2))
    assert network.sizes == [1, 1] * 4 * 32, "the second pause is longer"


def test_exact_on_a_cpu_waits_with_trials_until_it_was_improved():
    network = Timed(lambda _: 0.02)
    made = Computer(network, infer.output(CLASSES), Transfer(CPU, SPEC), 4, exact=True)
    answers(made, pictures(4))
    assert network.sizes == [1, 1, 1, 1]


class Seen(nn.Module):
    """Which thread computed what, with how many of PyTorch's threads; two that meet wait for each other."""

    def __init__(self) -> None:
        super().__init__()
        self.threads: dict[float, tuple[str, int]] = {}
        self.meeting = threading.Barrier(2)

    def forward(self, batch: Tensor) -> Tensor:
        if threading.current_thread() is not threading.main_thread():
            self.meeting.wait(5)
        for row in batch:
            self.threads[float(row[0, 0, 0])] = (threading.current_thread().name, torch.get_num_threads())
        return batch.flatten(1).sum(1, keepdim=True) * torch.linspace(-1, 1, 1000)


def test_lanes_compute_side_by_side_each_with_its_share_of_the_threads():
    set_threads(2)
    network = Seen()
    rows = pictures(4)
    logits = Lanes(network, 2, 4)(torch.cat(rows))
    assert torch.equal(logits, torch.cat([Tiny()(row) for row in rows]))
    lanes = {network.threads[float(row[0, 0, 0, 0])] for row in rows}
    assert lanes == {("lane_0", 1), ("lane_1", 1)}
    assert torch.get_num_threads() == 2, "nobody else's threads were changed"
    Lanes(network, 8, 4)(torch.cat(rows[:2]))
    assert {network.threads[float(row[0, 0, 0, 0])][1] for row in rows[:2]} == {4}


def test_an_error_in_a_lane_comes_when_all_lanes_are_done():
    done = []

    class Picky(Tiny):
        def forward(self, batch: Tensor) -> Tensor:
            if bool((batch == 7).any()):
                raise ValueError("I do not like sevens")
            time.sleep(0.05)
            done.append(1)
            return super().forward(batch)

    rows = pictures(4)
    rows[0][0, 0, 0, 0] = 7
    with pytest.raises(ValueError, match="sevens"):
        Lanes(Picky(), 2, 4)(torch.cat(rows))
    assert len(done) == 3


def test_on_a_cpu_with_threads_pictures_go_side_by_side_where_a_trial_was_won():
    said: list[str] = []
    spec = transforms_spec("IMAGENET1K_V1")
    made = prepare(
        SlowAlone(), infer.output(CLASSES), CPU, spec, "fused", 0, 2, lambda _level, text: said.append(text)
    )
    rows = [torch.zeros(1, 3, 224, 224) for _ in range(4)]
    network = made.network
    answers(made, rows)
    assert network.sizes == [1] * 16, "alone, and three times in lanes"
    assert "from now on together" in said[-1]
    network.sizes.clear()
    answers(made, rows)
    assert network.sizes == [1] * 4
    single = SlowAlone()
    answers(prepare(single, infer.output(CLASSES), CPU, spec, "fused", 0, 1, print), rows)
    assert single.sizes == [4], "one thread has no lanes"


def test_a_batch_that_does_not_fit_is_halved_and_the_limit_is_kept():
    said: list[str] = []
    network = Small()
    queue = Async()
    made = computer(network, 8, queue=queue, log=lambda _level, text: said.append(text))
    rows = pictures(8)
    assert torch.equal(torch.cat(answers(made, rows)), torch.cat([Tiny()(row) for row in rows]))
    assert network.sizes == [8, 4, 2, 2, 2, 2]
    assert made.limit.limit == 2
    assert queue.released == 2
    assert len(said) == 2
    network.sizes.clear()
    answers(made, rows)
    assert network.sizes == [2, 2, 2, 2]


def test_the_learnt_limit_is_tried_again_after_many_batches():
    network = Small()
    made = computer(network, 8)
    answers(made, pictures(8))
    network.room = 8
    for _ in range(made.limit.patience):
        answers(made, pictures(2))
    network.sizes.clear()
    answers(made, pictures(8))
    assert network.sizes == [4, 4]


def test_only_a_single_picture_that_does_not_fit_is_out_of_memory():
    network = Small()
    network.room = 0
    for running in computer(network, 4).run(pictures(3)):
        with pytest.raises(OutOfMemory, match="one picture"):
            running.finish()


def test_an_error_of_one_picture_leaves_its_neighbours_alone():
    class Picky(Tiny):
        def forward(self, batch: Tensor) -> Tensor:
            if bool((batch == 7).any()):
                raise ValueError("I do not like sevens")
            return super().forward(batch)

    rows = pictures(4)
    rows[2][0, 0, 0, 0] = 7
    outcomes = []
    for running in computer(Picky()).run(rows):
        try:
            outcomes.append(len(running.finish().output.logits))
        except ValueError as error:
            outcomes.append(str(error))
    assert outcomes == [1, 1, "I do not like sevens", 1]


def test_two_batches_can_be_under_way_and_each_is_waited_for():
    queue = Async()
    made = computer(Tiny(), 4, queue=queue)
    assert made.depth == 2
    first, second = pictures(4, 1), pictures(4, 2)
    under_way = [*made.run(first), *made.run(second)]
    assert (queue.joined, queue.waited) == (2, 0)
    results = [running.finish().output.logits for running in under_way]
    assert queue.waited == 4
    for rows, logits in zip((first, second), results):
        assert torch.equal(logits, torch.cat([Tiny()(row) for row in rows]))


def test_waiting_ends_where_computing_begins():
    class Noting(SlowAlone):
        begun = 0.0

        def forward(self, batch: Tensor) -> Tensor:
            self.begun = time.monotonic()
            return super().forward(batch)

    network = Noting()
    began = time.monotonic()
    (running,) = computer(network).run(pictures(1))
    assert began <= running.started <= network.begun
    assert running.finish().forward >= 50


def test_pixels_are_normalised_to_the_same_bits_by_table_as_step_by_step():
    ramp = torch.arange(256, dtype=torch.uint8).reshape(1, 16, 16, 1).expand(1, 16, 16, 3)
    expected = tensor_from_pixels(ramp, SPEC)
    for queue in (Immediate(), Async()):
        transfer = Transfer(CPU, SPEC, queue)
        assert torch.equal(transfer.to_device([ramp]), expected)
        both = transfer.to_device([ramp, ramp.flip(1)])
        assert torch.equal(both, torch.cat([expected, expected.flip(2)]))
        assert both.is_contiguous()


@pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="this build has no oneDNN")
def test_packed_convolutions_keep_every_bit_for_any_number_of_pictures_and_any_shape():
    set_threads(2)
    torch.manual_seed(3)
    network = nn.Sequential(
        nn.Conv2d(3, 64, 7, 2, 3, bias=False),
        nn.BatchNorm2d(64),
        nn.ReLU(),
        nn.Conv2d(64, 64, 1, bias=False),
        nn.Conv2d(64, 8, 3, padding=1),
    ).eval()
    batches = [torch.randn(1, 3, 64, 64), torch.randn(4, 3, 64, 64), torch.randn(1, 3, 48, 40)]
    with torch.inference_mode():
        expected = [network(batch) for batch in batches]
        packed, of = pack(network, 64)
        found = [network(batch) for batch in batches]
    assert all(torch.equal(a, b) for a, b in zip(found, expected))
    assert (packed, of) == (3, 3)
    assert [type(layer) for layer in network][::3] == [PackedConv, PackedConv]


def test_a_convolution_is_not_packed_where_that_changes_a_bit(monkeypatch):
    network = nn.Sequential(nn.Conv2d(3, 8, 3, bias=False)).eval()
    forward = PackedConv.forward
    monkeypatch.setattr(PackedConv, "forward", lambda self, batch: forward(self, batch) + 1e-6)
    assert pack(network, 16) == (0, 1)
    assert type(network[0]) is nn.Conv2d


def test_a_graph_is_captured_once_per_shape_and_left_where_it_loses():
    captured = []

    def capture(network: nn.Module, batch: Tensor):
        captured.append(len(batch))
        return None if len(batch) > 2 else lambda pictures: network(pictures) + 1

    network = Graphed(Tiny(), capture)
    rows = torch.cat(pictures(4))
    for _ in range(2):
        assert torch.equal(network(rows), Tiny()(rows))
        assert torch.equal(network(rows[:2]), Tiny()(rows[:2]) + 1)
    assert captured == [4, 2]


def test_a_graph_does_not_swallow_that_memory_ran_out():
    def capture(network: nn.Module, batch: Tensor):
        raise RuntimeError("CUDA out of memory")

    with pytest.raises(OutOfMemory):
        next(iter(computer(Graphed(Tiny(), capture), 1).run(pictures(1)))).finish()


def test_a_card_of_four_gigabytes_gets_batches_and_a_full_one_single_pictures(monkeypatch):
    free = 0
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (free, 1 << 34))
    sizes = []
    for free in (0, 1 << 30, 3_400 << 20, 78 << 30):  # noqa: B007
        sizes.append(largest_batch(torch.device("cuda"), 224))
    assert sizes == [1, 6, 32, 32]
    assert largest_batch(CPU, 224) == 4


@pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="this build has no oneDNN")
@pytest.mark.parametrize(("later", "packed"), [(1e-6, 0), (0.0, 1)])
def test_few_outputs_that_are_equal_by_chance_pack_no_convolution(later, packed, monkeypatch):
    """As in a squeeze layer: where values are added in another order, another picture has other bits."""
    conv = nn.Conv2d(3, 2, 1)
    network = nn.Sequential(nn.AdaptiveAvgPool2d(2), conv).eval()
    compared: list[int] = []

    def compute(_: PackedConv, batch: Tensor) -> Tensor:
        compared.append(len(batch))
        return conv.forward(batch) + (later if len(compared) > 1 else 0.0)

    monkeypatch.setattr(PackedConv, "forward", compute)
    monkeypatch.setattr(PackedConv, "holds", lambda _, weight: weight is conv.weight)
    assert pack(network, 8) == (packed, 1)
    # Eight values each time.
    assert len(compared) == (1 + 2048 // 8 if packed else 2)
