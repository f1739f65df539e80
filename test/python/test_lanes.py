"""Values at the end of what each thread has: pictures may have the bits that they have alone, others not."""

from __future__ import annotations

from typing import NamedTuple

import pytest
import torch
from torch import Tensor, nn

from isotorch_worker.runtime.compute import Computer
from isotorch_worker.runtime.copy import Transfer
from isotorch_worker.runtime.lanes import Lanes, batched, other_positions, telling

SPEC = {"crop": 8, "mean": [0.0] * 3, "std": [1.0] * 3}
RARE = 5.0


class Only(NamedTuple):
    values: Tensor


class ByThreads(nn.SiLU):
    """A function with two ways: values above 5 have another bit where they are computed singly, which is the
    last of what each thread has."""

    def forward(self, values: Tensor) -> Tensor:
        singly = torch.ones_like(values, dtype=torch.bool)
        if values.is_contiguous():
            share = values.numel() // torch.get_num_threads()
            singly.view(-1)[:] = torch.arange(values.numel()) % share == share - 1
        return torch.where(singly & (values > RARE), values * (1 + 2**-23), values)


class Alike(ByThreads):
    """Whose positions do not depend on the threads."""

    def forward(self, values: Tensor) -> Tensor:
        return values if values.is_contiguous() else values * (1 + 2**-23)


@pytest.fixture
def threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield 2
    torch.set_num_threads(before)


def row(largest: float = 1.0) -> Tensor:
    return torch.full((1, 3, 8, 8), largest)


def test_values_that_tell_the_two_ways_apart_are_found_and_no_others():
    assert min(telling(ByThreads())) > RARE
    assert telling(nn.ReLU()) == []
    for function in (nn.SiLU(inplace=True), nn.Sigmoid(), nn.GELU()):
        for value in telling(function):
            apart = torch.full((64,), value)[::2]
            assert torch.equal(function(apart.clone()), function(torch.full((32,), value)))


def test_a_layer_whose_positions_depend_on_the_threads_is_named(threads):
    lanes = Lanes(nn.Identity(), threads, 4)
    network = nn.Sequential(nn.ReLU(), ByThreads())
    assert other_positions(network, row(), 2, lanes.each) == "1 (ByThreads())"
    assert other_positions(nn.Sequential(nn.ReLU(), Alike()), row(), 2, lanes.each) is None
    assert other_positions(nn.Sequential(nn.ReLU()), row(), 2, lanes.each) is None


def test_a_layer_is_given_what_the_network_gives_it(threads):
    # Half of the values of a picture: then there is one thread's share in each.
    network = nn.Sequential(nn.MaxPool2d((2, 1)), ByThreads())
    assert other_positions(network, row(), 2, batched) == "1 (ByThreads())"
    assert other_positions(network, row(), 1, batched) is None


def test_pictures_with_equal_bits_do_not_prove_a_batch_where_others_could_have_other_bits(threads):
    said: list[str] = []
    network = nn.Sequential(ByThreads(), nn.Flatten()).eval()
    made = Computer(
        network,
        Only,
        Transfer(torch.device("cpu"), SPEC),
        2,
        exact=True,
        log=lambda _level, text: said.append(text),
        together=Lanes(network, threads, 2),
    )
    made.improve()
    for largest in (1.0, 1.0, 9.0):
        rows = [row(largest)] * 2
        for running in made.run(rows):
            expected = torch.cat([network(one) for one in rows[: running.count]])
            assert torch.equal(running.finish().output.values, expected), largest
    assert any("but not for every picture, by 0 (ByThreads())" in text for text in said)
