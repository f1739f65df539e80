"""What an environment says of itself: a digest for each built-in picture and each step."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import transforms

from isotorch_worker.pictures import attest
from isotorch_worker.runtime.model import transforms_spec

SPEC = transforms_spec("IMAGENET1K_V1")
STEPS = json.loads((attest.FOLDER / "steps.json").read_text("utf-8"))


RECTANGLE = {**SPEC, "resize": [48, 80], "crop": [40, 90], "interpolation": "bicubic"}
STRETCHES = {f"stretch-bicubic-{shape}" for shape in STEPS["stretch"]}


def test_what_a_spec_has_beside_imagenets_has_digests_of_its_own():
    usual = set(attest.attestation(SPEC))
    assert set(attest.attestation(RECTANGLE)) - usual == {*STRETCHES, "crop-any"}
    nearest = {**SPEC, "interpolation": "nearest"}
    assert set(attest.attestation(nearest)) - usual == {"resize-nearest"}
    assert set(attest.attestation({**nearest, "resize": [256, 256]})) - usual == {
        "stretch-nearest",
        "crop-any",
    }
    assert set(attest.attestation({**SPEC, "resize": 223})) - usual == {"crop-any"}
    assert set(attest.attestation({**SPEC, "resize": 224, "interpolation": "bicubic"})) == usual


def test_a_standard_deviation_of_zero_has_no_digest():
    whole = set(attest.attestation(SPEC))
    assert whole - set(attest.attestation({**SPEC, "std": [0.5, 0, 0.5]})) == {"normalize"}


def test_without_the_pictures_nothing_is_said(tmp_path):
    assert attest.attestation(SPEC, tmp_path / "none") == {}


def test_a_picture_that_cannot_be_read_is_left_out_and_the_others_are_there(tmp_path):
    folder = tmp_path / "attestation"
    shutil.copytree(attest.FOLDER, folder)
    (folder / "jpeg-420.jpg").write_bytes(b"\xff\xd8\xff\xe0 no picture")
    whole, lacking = attest.attestation(SPEC), attest.attestation(SPEC, folder)
    assert set(whole) - set(lacking) == {"jpeg-420"}
    assert {name: whole[name] for name in lacking} == lacking


def test_one_changed_byte_of_a_picture_changes_its_digest_alone(tmp_path):
    folder = tmp_path / "attestation"
    shutil.copytree(attest.FOLDER, folder)
    pixels = np.array(Image.open(folder / "png-rgb8.png").convert("RGB"))
    pixels[3, 4, 1] ^= 1
    Image.fromarray(pixels).save(folder / "png-rgb8.png")
    whole, changed = attest.attestation(SPEC), attest.attestation(SPEC, folder)
    assert [name for name in whole if whole[name] != changed[name]] == ["png-rgb8"]


@pytest.mark.parametrize(
    ("place", "name", "steps"),
    [
        (
            transforms.Resize,
            "forward",
            {f"resize-{f}-{s}" for f in attest.FILTERS for s in STEPS["resize"]} | STRETCHES,
        ),
        (transforms.CenterCrop, "forward", {"crop", "crop-any"}),
        (transforms.Normalize, "forward", {"normalize"}),
    ],
)
def test_a_step_of_torchvision_that_does_something_else_changes_its_digest_alone(
    monkeypatch, place, name, steps
):
    whole = attest.attestation(RECTANGLE)
    original = getattr(place, name)

    def other(self, picture):
        made = original(self, picture)
        return made + 1e-3 if isinstance(made, torch.Tensor) else made.point(lambda value: value ^ 1)

    monkeypatch.setattr(place, name, other)
    changed = attest.attestation(RECTANGLE)
    assert {name for name in whole if whole[name] != changed.get(name)} == steps


def test_every_value_of_a_byte_is_normalised_alike_by_both_ways():
    found = attest.attestation(SPEC)
    assert found["normalize"] == found["normalize-pixels"]
