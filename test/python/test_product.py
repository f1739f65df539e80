"""The product of matrices that `doctor` and each start of a worker time, and by which `setup` chooses."""

from __future__ import annotations

import pytest
import torch

from isotorch_worker.environment.examine import examine
from isotorch_worker.environment.product import judge_blas, time_product


def test_speed_and_time_are_of_the_same_product():
    product = time_product()
    operations = product["gflops"] * 1e9 * product["milliseconds"] / 1000
    # Both are rounded.
    assert 0.98 < operations / (2 * product["size"] ** 3) < 1.02


def test_an_examination_names_the_library_and_has_the_product():
    found = examine("cpu")
    assert "product" not in found["errors"]
    assert found["torch"]["blas"] not in ("", "unknown")
    assert set(found["product"]) == {"size", "milliseconds", "gflops"}


def test_a_library_is_named_timed_and_compared_with_sums_that_it_does_not_make():
    found = judge_blas()
    assert set(found) == {"blas", "isRight", "size", "milliseconds", "gflops"}
    assert found["isRight"] is True


@pytest.mark.parametrize(
    "wrong", [lambda made: made * 1.001, lambda made: made.index_fill(1, torch.tensor(77), float("nan"))]
)
def test_a_product_that_is_wrong_is_found_out(wrong, monkeypatch):
    multiply = torch.mm
    monkeypatch.setattr(torch, "mm", lambda left, right: wrong(multiply(left, right)))
    assert judge_blas()["isRight"] is False
