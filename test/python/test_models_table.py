"""The table of models is what the installed torchvision says, whichever version that is."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
TABLE: dict[str, dict[str, Any]] = json.loads((ROOT / "models" / "torchvision.json").read_text("utf-8"))[
    "models"
]
HASHES: dict[str, dict[str, Any]] = json.loads(
    (ROOT / "scripts" / "models" / "hashes.json").read_text("utf-8")
)
# Up to 0.15 their names had the digits of other files: pytorch/vision#7744.
RENAMED = {f"efficientnet_b{size}" for size in range(8)}
# What torchvision does not say in each version.
LATER = {"mebibytes", "gflops"}


def _reader() -> ModuleType:
    spec = importlib.util.spec_from_file_location("read_table", ROOT / "scripts" / "models" / "read_table.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def told() -> dict[str, dict[str, Any]]:
    """What the installed torchvision says."""
    table: dict[str, dict[str, Any]] = _reader().table()
    return table


def test_it_has_every_classifier_and_all_its_weights(told: dict[str, dict[str, Any]]):
    known = set(told)
    # torchvision 0.13 has 76 of them.
    assert known <= set(TABLE)
    assert {name for name, model in TABLE.items() if model["since"] == "0.13"} <= known
    assert len(TABLE) == 80
    assert sum(len(model["weights"]) for model in TABLE.values()) == 114
    for name, model in told.items():
        assert list(TABLE[name]["weights"]) == list(model["weights"]), name


def test_heads_are_those_of_the_networks(told: dict[str, dict[str, Any]]):
    assert {name: TABLE[name]["head"] for name in told} == {
        name: model["head"] for name, model in told.items()
    }


def test_what_is_said_of_weights_is_what_torchvision_says(told: dict[str, dict[str, Any]]):
    for name, model in told.items():
        for key, weights in model["weights"].items():
            known = TABLE[name]["weights"][key]
            for fact, value in weights.items():
                renamed = name in RENAMED and key == "IMAGENET1K_V1" and weights["mebibytes"] is None
                if (value is None and fact in LATER) or (renamed and fact in ("url", "sha256Prefix")):
                    continue
                if fact == "licence":
                    assert (known[fact] or {}).get("url") == value, (name, key)
                else:
                    assert known[fact] == value, (name, key, fact)


def test_full_hashes_begin_as_their_files_are_called_and_have_a_source():
    pinned = set()
    for model in TABLE.values():
        for weights in model["weights"].values():
            file = weights["url"].rpartition("/")[2]
            assert re.search(r"-([0-9a-f]+)\.pth$", file)[1] == weights["sha256Prefix"]  # type: ignore[index]
            if weights["sha256"] is None:
                assert file not in HASHES
                continue
            assert re.fullmatch("[0-9a-f]{64}", weights["sha256"])
            assert weights["sha256"].startswith(weights["sha256Prefix"])
            assert weights["sha256"] == HASHES[file]["sha256"]
            assert weights["bytes"] == HASHES[file]["bytes"]
            pinned.add(file)
    assert pinned == set(HASHES)


def test_exact_sizes_are_what_torchvision_rounds():
    exact = [one for model in TABLE.values() for one in model["weights"].values() if one["bytes"] is not None]
    assert len(exact) > 10
    for weights in exact:
        assert weights["bytes"] / 2**20 == pytest.approx(weights["mebibytes"], abs=0.0006)
