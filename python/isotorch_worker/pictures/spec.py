"""What a network wants of a picture: ``{"resize", "crop", "mean", "std", "interpolation"}``.

``resize`` and ``crop`` are what torchvision's Resize and CenterCrop take: a number (the shorter side, the
side of a square) or ``[height, width]``, pixels. Twin of ``InputSpec`` in src/image/resample/geometry.ts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Union

Sides = Union[int, Sequence[int]]


def sides(given: Sides) -> tuple[int, int]:
    """Height and width of what is one length or both, pixels."""
    if isinstance(given, int):
        return given, given
    height, width = given
    return height, width


def crop_size(spec: Mapping[str, Any]) -> tuple[int, int]:
    """Height and width of what the network sees, pixels."""
    return sides(spec["crop"])
