"""The product of matrices that `doctor` times."""

from __future__ import annotations

from isotorch_worker.environment.examine import examine
from isotorch_worker.environment.product import time_product


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
