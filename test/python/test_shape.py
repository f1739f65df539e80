"""Resize and CenterCrop by Pillow alone: every bit is torchvision's."""

from __future__ import annotations

import random

import pytest
from PIL import Image
from torchvision import transforms
from torchvision.transforms import InterpolationMode

from isotorch_worker.pictures import attest, shape
from isotorch_worker.pictures.attest import pattern

SIZES = [
    (500, 375),
    (375, 500),
    (256, 256),
    (224, 224),
    (256, 300),
    (300, 256),
    (257, 256),
    (900, 60),
    (60, 900),
    (31, 17),
    (1, 1),
    (1, 90),
    (90, 1),
    (1333, 1000),
]
SPECS = [
    *[(256, 224), (232, 224), (224, 224), (96, 224), (97, 224), (225, 224), (20, 33), (256, 1)],
    *[
        ([120, 320], 96),
        ([96, 97], [97, 96]),
        (128, [100, 131]),
        ([30, 40], [61, 63]),
        ([375, 500], [375, 500]),
    ],
]


def expected(picture, resize, crop, interpolation):
    resized = transforms.Resize(resize, interpolation=InterpolationMode(interpolation))(picture)
    return transforms.CenterCrop(crop)(resized)


def is_equal(picture, *spec):
    found, wanted = shape.shaped(picture, *spec), expected(picture, *spec)
    return (found.size, found.tobytes()) == (wanted.size, wanted.tobytes())


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("spec", SPECS)
def test_every_size_has_torchvisions_bits(size, spec):
    assert is_equal(pattern(*size), *spec, "bilinear")


@pytest.mark.parametrize("interpolation", [mode.value for mode in InterpolationMode])
def test_every_interpolation_of_torchvision_has_its_bits(interpolation):
    assert interpolation in shape.FILTERS
    for size in [(130, 97), (97, 130), (31, 17), (64, 64), (1, 9), (400, 50)]:
        for resize, crop in [(64, 56), (64, 64), (40, 56)]:
            assert is_equal(pattern(*size), resize, crop, interpolation), (size, resize, crop)


def test_sizes_drawn_at_random_have_torchvisions_bits():
    draw = random.Random(13)
    for _ in range(300):
        width, height = (round(2 ** draw.uniform(0, 9)) for _ in range(2))
        resize, crop = (
            draw.choice([draw.randint(1, 90), [draw.randint(1, 90), draw.randint(1, 90)]]) for _ in range(2)
        )
        if isinstance(resize, int) and max(width, height) / min(width, height) * resize > 4000:
            continue
        interpolation = draw.choice(["bilinear", "bicubic", "nearest"])
        assert is_equal(pattern(width, height), resize, crop, interpolation), (width, height, resize, crop)


def test_a_torchvision_that_does_something_else_is_noticed():
    spec = {"resize": 64, "crop": 56, "interpolation": "bilinear"}

    def here(data):
        import io

        return shape.shaped(Image.open(io.BytesIO(data)), 64, 56, "bilinear").tobytes()

    assert attest.shapes_agree(spec, here)
    assert not attest.shapes_agree({**spec, "interpolation": "bicubic"}, here)
    assert not attest.shapes_agree({**spec, "resize": 65}, here)
    assert not attest.shapes_agree({**spec, "crop": 55}, here)
    assert not attest.shapes_agree(spec, lambda data: None)


@pytest.mark.parametrize(("resize", "crop"), [([48, 80], [40, 90]), (20, 33), ([9, 64], 16)])
def test_a_torchvision_that_does_something_else_with_heights_and_widths_is_noticed(resize, crop):
    spec = {"resize": resize, "crop": crop, "interpolation": "bicubic"}

    def here(data):
        import io

        return shape.shaped(Image.open(io.BytesIO(data)), resize, crop, "bicubic").tobytes()

    assert attest.shapes_agree(spec, here)
    assert not attest.shapes_agree({**spec, "resize": [48, 81]}, here)
    assert not attest.shapes_agree({**spec, "crop": [crop, 7] if isinstance(crop, int) else crop[::-1]}, here)
