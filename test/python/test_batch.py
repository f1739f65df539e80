"""Which requests go together, and how many pictures at a time: no torch, no worker."""

from __future__ import annotations

import pytest

from isotorch_worker.runtime.batch import MemoryLimit, belongs, power_of_two, runs


def test_the_announced_numbers_fall_along_a_batch_and_may_have_gaps():
    assert belongs(2, 3)
    assert belongs(0, 3)
    assert not belongs(3, 3)
    assert not belongs(7, 3)


@pytest.mark.parametrize(("count", "size"), [(0, 1), (1, 1), (2, 2), (3, 2), (7, 4), (8, 8), (1000, 512)])
def test_sizes_are_powers_of_two(count, size):
    assert power_of_two(count) == size


def test_rows_are_cut_where_their_shape_changes_and_keep_their_order():
    assert runs([]) == []
    assert runs([("a", 1), ("a", 2), ("b", 3), ("a", 4)]) == [[1, 2], [3], [4]]


def test_what_did_not_fit_halves_the_limit_down_to_one():
    limit = MemoryLimit(9)
    assert limit.limit == limit.most == 8
    limits = []
    for _ in range(5):
        limit.failed(limit.limit)
        limits.append(limit.limit)
    assert limits == [4, 2, 1, 1, 1]


def test_the_limit_recovers_one_step_after_many_full_batches_and_never_beyond_the_most():
    limit = MemoryLimit(8, patience=3)
    limit.failed(8)
    assert limit.limit == 4
    for _ in range(100):
        limit.succeeded(2)
    assert limit.limit == 4, "smaller batches say nothing"
    for _ in range(limit.patience):
        limit.succeeded(4)
    assert limit.limit == 8
    for _ in range(1000):
        limit.succeeded(8)
    assert limit.limit == 8


def test_each_relapse_asks_for_twice_the_patience():
    limit = MemoryLimit(2, patience=4)
    waits = []
    for _ in range(3):
        limit.failed(2)
        count = 0
        while limit.limit == 1:
            limit.succeeded(1)
            count += 1
        waits.append(count)
    assert waits == [8, 16, 32]
