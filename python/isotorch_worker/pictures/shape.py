"""A picture resized and cropped by Pillow alone, with the bits of torchvision's Resize and CenterCrop.

Twin of src/image/resample/geometry.ts. ``attest.shapes_agree`` compares it with the torchvision that is
there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from PIL import Image

from isotorch_worker.pictures.spec import Sides, sides

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


def shaped(picture: Image.Image, resize: Sides, crop: Sides, interpolation: str) -> Image.Image:
    """The picture with its shorter side ``resize`` pixels long, and of it a square of ``crop`` in the middle.

    Either may be ``[height, width]`` instead. What the crop lacks is black. Raises KeyError for an
    interpolation that is not in FILTERS, and whatever Pillow raises where the resized picture is too large.
    """
    size = resized_size(*picture.size, resize)
    resized = picture if picture.size == size else picture.resize(size, FILTERS[interpolation])
    height, width = sides(crop)
    left, top = _offset(size[0], width), _offset(size[1], height)
    return resized.crop((left, top, left + width, top + height))


def resized_size(width: int, height: int, size: Sides) -> tuple[int, int]:
    """Width and height after ``Resize(size)``.

    ``[height, width]`` is the size itself; of one length the longer side is ``int(size * long / short)``.
    """
    if not isinstance(size, int):
        return size[1], size[0]
    if width <= height:
        return size, int(size * height / width)
    return int(size * width / height), size


def _offset(length: int, crop: int) -> int:
    """Where the crop starts along one side; half a pixel goes to the even number, as Python rounds."""
    if crop > length:
        return -((crop - length) // 2)
    return round((length - crop) / 2.0)
