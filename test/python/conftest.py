"""Shared by all tests: made checkpoints, and workers that are driven over their own socket."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Generator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "python"))

# As __main__.py does, for what the tests compute in this process.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from controller import SMALL, Controller  # noqa: E402


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained checkpoint of SMALL, for what is the same with every network."""
    return untrained(tmp_path_factory, SMALL)


@pytest.fixture(scope="session")
def resnet18(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One of a network that computes for a while."""
    return untrained(tmp_path_factory, "resnet18")


def untrained(tmp_path_factory: pytest.TempPathFactory, model: str) -> Path:
    """The checkpoint of seed 7."""
    import torch

    from isotorch_worker.runtime.threads import set_threads
    from isotorch_worker.tasks.image_classification.untrained import make_untrained

    set_threads(2)
    path = tmp_path_factory.mktemp("checkpoints") / f"untrained-7-{model}.pth"
    random_state = torch.get_rng_state()
    make_untrained(path, 7, model)
    assert torch.equal(random_state, torch.get_rng_state()), "the global random state was not left alone"
    return path


@pytest.fixture
def start(tmp_path: Path) -> Generator[Callable[..., Controller], None, None]:
    """Starts workers; whatever is left of them at the end is killed."""
    started: list[Controller] = []

    def make(*prefix: str, **options: object) -> Controller:
        controller = Controller(tmp_path / f"w{len(started)}", *prefix, **options)
        started.append(controller)
        return controller

    yield make
    for controller in started:
        controller.close()


@pytest.fixture(scope="session")
def jpeg() -> bytes:
    """A small photograph-like JPEG, 320 x 260."""
    import io

    import numpy as np
    from PIL import Image

    rng = np.random.default_rng(5)
    coarse = Image.fromarray(rng.integers(0, 256, (9, 11, 3), dtype=np.uint8))
    buffer = io.BytesIO()
    coarse.resize((320, 260), Image.Resampling.BICUBIC).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()
