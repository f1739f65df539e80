"""From a picture to a tensor, by torchvision's own transforms. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import torch
from PIL import Image
from torch import Tensor
from torchvision import transforms
from torchvision.transforms import InterpolationMode

from isotorch_worker.pictures.picture import MAX_PIXELS, decode_picture
from isotorch_worker.pictures.spec import crop_size


def tensor_from_encoded(
    data: bytes | bytearray | memoryview, spec: Mapping[str, Any], max_pixels: int = MAX_PIXELS
) -> Tensor:
    """float32 [1,3,H,W] from an encoded picture, by torchvision's own transforms, as in the tutorial.

    Raises as ``decode_picture``.
    """
    return preprocess(decode_picture(data, max_pixels=max_pixels), spec)[1]


def preprocess(picture: Image.Image, spec: Mapping[str, Any]) -> tuple[Image.Image, Tensor]:
    """An RGB picture resized and cropped, and float32 [1,3,H,W] of it: torchvision's transforms."""
    small = cropped(picture, spec)
    return small, normalized(small, spec)


def cropped(picture: Image.Image, spec: Mapping[str, Any]) -> Image.Image:
    """An RGB picture resized and cropped, by torchvision's transforms."""
    shape = transforms.Compose(
        [
            transforms.Resize(spec["resize"], interpolation=InterpolationMode(spec["interpolation"])),
            transforms.CenterCrop(spec["crop"]),
        ]
    )
    return cast("Image.Image", shape(picture))


def normalized(picture: Image.Image, spec: Mapping[str, Any]) -> Tensor:
    """float32 [1,3,H,W] of an RGB picture of the right size, by torchvision's transforms."""
    values = transforms.Compose(
        [transforms.ToTensor(), transforms.Normalize(mean=spec["mean"], std=spec["std"])]
    )
    return cast("Tensor", values(picture)).unsqueeze(0)


def normalized_bytes(data: bytes | bytearray, spec: Mapping[str, Any]) -> Tensor:
    """``normalized`` of the RGB bytes of a cropped picture."""
    height, width = crop_size(spec)
    return normalized(Image.frombytes("RGB", (width, height), bytes(data)), spec)


def tensor_from_pixels(pixels: Tensor, spec: Mapping[str, Any]) -> Tensor:
    """float32 [N,3,H,W] from uint8 [N,H,W,3] pixels that are resized and cropped already.

    Method: ToTensor and Normalize, step by step in float32, so that the bits are theirs.
    """
    values = pixels.permute(0, 3, 1, 2).contiguous().to(torch.float32).div(255)
    mean = torch.tensor(spec["mean"], dtype=torch.float32).view(3, 1, 1)
    std = torch.tensor(spec["std"], dtype=torch.float32).view(3, 1, 1)
    return values.sub_(mean).div_(std)
