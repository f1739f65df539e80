"""A picture resized and cropped by Pillow alone, with the bits of torchvision's Resize and CenterCrop.

Twin of src/image/resample/geometry.ts. ``attest.shapes_agree`` compares it with the torchvision that is
there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from PIL import Image

# Pillow 9.1 moved them; as torchvision maps the values of its InterpolationMode.
_FILTERS: Any = getattr(Image, "Resampling", Image)
FILTERS: Mapping[str, Any] = {
    "nearest": _FILTERS.NEAREST,
    "nearest-exact": _FILTERS.NEAREST,
    "bilinear": _FILTERS.BILINEAR,
    "bicubic": _FILTERS.BICUBIC,
    "box": _FILTERS.BOX,
    "hamming": _FILTERS.HAMMING,
    "lanczos": _FILTERS.LANCZOS,
}


def shaped(picture: Image.Image, resize: int, crop: int, interpolation: str) -> Image.Image:
    """The picture with its shorter side ``resize`` pixels long, and of it a square of ``crop`` in the middle.

    What the square lacks is black. Raises KeyError for an interpolation that is not in FILTERS, and whatever
    Pillow raises where the resized picture is too large.
    """
    size = resized_size(*picture.size, resize)
    resized = picture if picture.size == size else picture.resize(size, FILTERS[interpolation])
    left, top = (_offset(length, crop) for length in size)
    return resized.crop((left, top, left + crop, top + crop))


def resized_size(width: int, height: int, size: int) -> tuple[int, int]:
    """Width and height after ``Resize(size)``: the longer side becomes ``int(size * long / short)``."""
    if width <= height:
        return size, int(size * height / width)
    return int(size * width / height), size


def _offset(length: int, crop: int) -> int:
    """Where the crop starts along one side; half a pixel goes to the even number, as Python rounds."""
    if crop > length:
        return -((crop - length) // 2)
    return round((length - crop) / 2.0)
