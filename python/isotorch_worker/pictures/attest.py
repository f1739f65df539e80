"""What this environment's Pillow and torchvision make of the pictures in ``models/attestation``.

The controller does the same by itself and compares: what is equal to the last byte it does in Node from then
on, the rest is left to the worker. Twin of src/image/attest; docs/architecture.md says how it is used.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torchvision import transforms
from torchvision.transforms import InterpolationMode

from isotorch_worker.pictures import transforms as ours
from isotorch_worker.pictures.picture import decode_picture
from isotorch_worker.pictures.spec import sides

FOLDER = Path(__file__).resolve().parents[3] / "models" / "attestation"
FILTERS = ("bilinear", "bicubic")
_STEPS = "steps.json"
_TURNED = "orientation-"


def attestation(spec: Mapping[str, Any], folder: Path = FOLDER) -> dict[str, str]:
    """A digest for each kind of file and each step, by name: 16 hex digits of a SHA-256.

    A picture's kind is the name of its file. What fails here is left out. ``spec`` is that of
    ``model.transforms_spec``. Empty where there is no such folder.
    """
    found: dict[str, str] = {}
    try:
        steps = json.loads((folder / _STEPS).read_text("utf-8"))
    except (OSError, ValueError):
        # The controller has the same folder, and says so.
        return found
    pictures = sorted(path for path in folder.iterdir() if path.suffix != ".json")
    turned = [path for path in pictures if path.name.startswith(_TURNED)]
    makers: dict[str, Callable[[], Iterable[bytes]]] = {
        path.stem: partial(_decoded, [path], "ignore") for path in pictures if path not in turned
    }
    makers["orientation"] = partial(_decoded, turned, "apply")
    for way, filter_name in _resizes(spec):
        shapes: dict[str, list[list[Any]]] = steps[way]
        if filter_name == "nearest":
            # Found in one pass: no shape matters to it.
            makers[f"{way}-nearest"] = partial(
                _resized, filter_name, [case for cases in shapes.values() for case in cases]
            )
            continue
        for shape, cases in shapes.items():
            makers[f"{way}-{filter_name}-{shape}"] = partial(_resized, filter_name, cases)
    for crop in dict.fromkeys(["crop", _crop_name(spec)]):
        makers[crop] = partial(_cropped, steps[crop])
    makers["normalize"] = partial(_normalized, spec)
    makers["normalize-pixels"] = partial(_normalized_pixels, spec)
    for name, make in makers.items():
        # Whatever is wrong with it, it is not equal to what the controller makes of it.
        with contextlib.suppress(Exception):
            found[name] = hashlib.sha256(b"".join(make())).hexdigest()[:16]
    return found


def _resizes(spec: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The resizes that are compared: those of ImageNet's networks, and the spec's own where it is another."""
    usual = [("resize", filter_name) for filter_name in FILTERS]
    own = ("resize" if isinstance(spec["resize"], int) else "stretch", spec["interpolation"])
    return [*usual, *([] if own in usual else [own])]


def _crop_name(spec: Mapping[str, Any]) -> str:
    """``crop`` where a square is cut from what is as large, ``crop-any`` of everything else."""
    resize, crop = spec["resize"], spec["crop"]
    is_usual = isinstance(resize, int) and isinstance(crop, int) and crop <= resize
    return "crop" if is_usual else "crop-any"


def _decoded(paths: list[Path], exif: str) -> Iterator[bytes]:
    for path in paths:
        yield from _bytes_of(decode_picture(path.read_bytes(), exif=exif))


def _resized(filter_name: str, cases: list[list[Any]]) -> Iterator[bytes]:
    for width, height, size in cases:
        resize = transforms.Resize(size, interpolation=InterpolationMode(filter_name))
        yield from _bytes_of(cast("Image.Image", resize(pattern(width, height))))


def _cropped(cases: list[list[Any]]) -> Iterator[bytes]:
    for width, height, size in cases:
        yield from _bytes_of(cast("Image.Image", transforms.CenterCrop(size)(pattern(width, height))))


def shapes_agree(spec: Mapping[str, Any], cropped: Callable[[bytes], bytes | bytearray | None]) -> bool:
    """Whether ``cropped`` makes of PPM files what torchvision's Resize and CenterCrop make of their pictures.

    The pictures are noise: larger and smaller than ``spec`` asks for, of its size, tall and wide.
    """
    down, across = sides(spec["resize"])
    less = max(min(down, across) // 3, 1)
    sizes = [
        (across + 57, down + 30),
        (2 * across + 1, down + 1),
        (less, 3 * less + 1),
        (across, down + 3),
        (1, 2),
    ]
    for width, height in [*sizes, (less + 1, less), (across, down)]:
        picture = pattern(width, height)
        expected = ours.cropped(picture, spec)
        if cropped(b"P6 %d %d 255\n" % picture.size + picture.tobytes()) != expected.tobytes():
            return False
    return True


def pattern(width: int, height: int) -> Image.Image:
    """An RGB picture like noise, the same everywhere: byte i is the top byte of i * 2654435761."""
    index = np.arange(width * height * 3, dtype=np.uint64)
    values = (index * 2654435761 % 2**32 >> 24).astype(np.uint8)
    return Image.fromarray(values.reshape(height, width, 3))


def _ramp() -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Every value of a byte in every channel, uint8 [1,256,3]."""
    return np.repeat(np.arange(256, dtype=np.uint8), 3).reshape(1, 256, 3)


def _normalized(spec: Mapping[str, Any]) -> Iterator[bytes]:
    to_tensor, normalize = transforms.ToTensor(), transforms.Normalize(spec["mean"], spec["std"])
    yield _floats(cast("Tensor", normalize(to_tensor(Image.fromarray(_ramp())))))


def _normalized_pixels(spec: Mapping[str, Any]) -> Iterator[bytes]:
    yield _floats(ours.tensor_from_pixels(torch.from_numpy(_ramp()).unsqueeze(0), spec))


def _floats(tensor: Tensor) -> bytes:
    return tensor.contiguous().numpy().astype("<f4").tobytes()


def _bytes_of(picture: Image.Image) -> Iterator[bytes]:
    yield f"{picture.width}x{picture.height}:".encode()
    yield picture.tobytes()
