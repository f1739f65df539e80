"""How many threads compute: what was asked for, what the environment says, what the machine has."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from isotorch_worker.base.quota import cpu_quota
from isotorch_worker.runtime import threads
from isotorch_worker.runtime.threads import VARIABLES, available_cpus, set_threads

ROOT = Path(__file__).parents[2]
CASES = json.loads((ROOT / "test" / "fixtures" / "quota.json").read_text("utf-8"))
LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="control groups are Linux's")


@pytest.fixture
def chosen(monkeypatch):
    """PyTorch chose so many by itself, and this process may use so many CPUs, with such a quota."""
    count = [2]
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(torch, "get_num_threads", lambda: count[0])
    monkeypatch.setattr(torch, "set_num_threads", lambda wanted: count.__setitem__(0, wanted))

    def choose(own: int, cpus: int, quota: float | None) -> None:
        count[0] = own
        monkeypatch.setattr(threads, "available_cpus", lambda: cpus)
        monkeypatch.setattr(threads, "cpu_quota", lambda: quota)

    return choose


@pytest.mark.parametrize(
    ("own", "cpus", "quota", "expected"),
    [
        (4, 8, None, (4, "PyTorch's own choice")),
        (1, 8, None, (8, "available CPUs")),
        (8, 8, 3.5, (3, "cgroup quota of 3.5 CPUs")),
        (8, 8, 16, (8, "PyTorch's own choice")),
        (1, 8, 4, (4, "cgroup quota of 4 CPUs")),
        (8, 8, 0.5, (2, "cgroup quota of 0.5 CPUs, but never fewer than 2")),
        (1, 1, None, (2, "available CPUs, but never fewer than 2")),
        (2, 2, 2, (2, "PyTorch's own choice")),
    ],
)
def test_without_a_wish_it_is_what_the_machine_has(chosen, own, cpus, quota, expected):
    chosen(own, cpus, quota)
    assert set_threads(0) == expected


def test_a_wish_beats_the_environment_and_the_quota(chosen, monkeypatch):
    chosen(8, 8, 2)
    monkeypatch.setenv("OMP_NUM_THREADS", "4")
    assert set_threads(1) == (1, "asked for")
    assert set_threads(16) == (16, "asked for")


@pytest.mark.parametrize(
    ("environment", "variable"),
    [
        ({"OMP_NUM_THREADS": "1"}, "OMP_NUM_THREADS"),
        ({"MKL_NUM_THREADS": "3"}, "MKL_NUM_THREADS"),
        ({"OMP_NUM_THREADS": "2", "MKL_NUM_THREADS": "1"}, "MKL_NUM_THREADS"),
        ({"OMP_NUM_THREADS": " 4,2"}, "OMP_NUM_THREADS"),
        ({"OMP_NUM_THREADS": "2", "MKL_NUM_THREADS": "no"}, "OMP_NUM_THREADS"),
        ({"OMP_NUM_THREADS": "many"}, None),
    ],
)
def test_the_environment_says_it_exactly_as_in_plain_pytorch(environment, variable):
    """In a process of its own: PyTorch reads the variables once."""
    clean = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    script = (
        "import torch; print(torch.get_num_threads())\n"
        f"import sys; sys.path.insert(0, {str(ROOT / 'python')!r})\n"
        "from isotorch_worker.runtime.threads import set_threads\nprint(*set_threads(0), sep='\\n')"
    )
    theirs, count, reason = subprocess.run(
        [sys.executable, "-c", script],
        env={**clean, **environment},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    if variable is None:
        assert reason not in VARIABLES
        assert int(count) >= 2
    else:
        assert (count, reason) == (theirs, variable)


@pytest.mark.parametrize("value", ["0", "-1", "many", ""])
def test_a_value_that_says_no_number_of_threads_says_nothing(chosen, monkeypatch, value):
    chosen(4, 8, None)
    monkeypatch.setenv("OMP_NUM_THREADS", value)
    assert set_threads(0) == (4, "PyTorch's own choice")


@LINUX
@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_the_quota_is_read_as_the_controller_reads_it(case, tmp_path):
    for name, content in case["files"].items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
    assert cpu_quota(tmp_path) == case["quota"]


def test_this_machine_has_cpus_and_its_quota_can_be_asked_for():
    assert available_cpus() >= 1
    assert (cpu_quota() or 1) > 0
