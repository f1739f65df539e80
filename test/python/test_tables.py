"""What is written down in models/ and in plain.py is what torchvision says."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from isotorch_worker.runtime.model import categories, transforms_spec

ROOT = Path(__file__).resolve().parents[2]


def test_labels_are_torchvisions_categories():
    text = (ROOT / "models" / "imagenet_classes.txt").read_bytes().decode("utf-8")
    assert text.endswith("\n")
    assert "\r" not in text
    assert text.splitlines() == categories("IMAGENET1K_V1") == categories("IMAGENET1K_V2")


def test_the_plain_script_has_the_same_transforms():
    spec = importlib.util.spec_from_file_location("plain", ROOT / "python" / "plain.py")
    assert spec is not None
    assert spec.loader is not None
    plain = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(plain)
    for name, compose in plain.TRANSFORMS.items():
        resize, crop, _, normalize = compose.transforms
        wanted = transforms_spec(name)
        assert resize.size == wanted["resize"]
        assert tuple(crop.size) == (wanted["crop"], wanted["crop"])
        assert (list(normalize.mean), list(normalize.std)) == (wanted["mean"], wanted["std"])
        assert resize.interpolation.value == wanted["interpolation"]
