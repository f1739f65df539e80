"""From what a request holds to an answer: picture -> tensor -> logits -> ranking. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torchvision import transforms
from torchvision.transforms import InterpolationMode

from isotorch_worker.pictures.picture import MAX_PIXELS, decode_picture
from isotorch_worker.protocol.errors import BadTensor, NonFiniteOutput

_MEMORY_PHRASES = ("out of memory", "can't allocate memory", "not enough memory", "CUDNN_STATUS_ALLOC_FAILED")


class Ranking(NamedTuple):
    """The classes of N pictures, best first.

    ``indices`` int64 [N,k]; ``scores`` float32 [N,k] in 0..1; ``percentages`` float32 [N,k] in 0..100;
    ``probabilities`` float32 [N,1000] in 0..1, in class order.
    """

    indices: Tensor
    scores: Tensor
    percentages: Tensor
    probabilities: Tensor

    def part(self, rows: slice, top_k: int) -> Ranking:
        """The ``top_k`` best classes (0 = all) of some of the pictures."""
        best = slice(top_k or None)
        indices, scores, percentages = (self[n][rows, best].contiguous() for n in range(3))
        return Ranking(indices, scores, percentages, self.probabilities[rows])


def tensor_from_encoded(
    data: bytes | bytearray | memoryview, spec: Mapping[str, Any], max_pixels: int = MAX_PIXELS
) -> Tensor:
    """float32 [1,3,crop,crop] from an encoded picture, by torchvision's own transforms, as in the tutorial.

    Raises as ``decode_picture``.
    """
    return preprocess(decode_picture(data, max_pixels=max_pixels), spec)[1]


def preprocess(picture: Image.Image, spec: Mapping[str, Any]) -> tuple[Image.Image, Tensor]:
    """An RGB picture resized and cropped, and float32 [1,3,crop,crop] of it: torchvision's transforms."""
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
    return normalized(Image.frombytes("RGB", (spec["crop"], spec["crop"]), bytes(data)), spec)


def tensor_from_pixels(pixels: Tensor, spec: Mapping[str, Any]) -> Tensor:
    """float32 [N,3,H,W] from uint8 [N,H,W,3] pixels that are resized and cropped already.

    Method: ToTensor and Normalize, step by step in float32, so that the bits are theirs.
    """
    values = pixels.permute(0, 3, 1, 2).contiguous().to(torch.float32).div(255)
    mean = torch.tensor(spec["mean"], dtype=torch.float32).view(3, 1, 1)
    std = torch.tensor(spec["std"], dtype=torch.float32).view(3, 1, 1)
    return values.sub_(mean).div_(std)


def tensor_from_floats(data: bytearray, shape: tuple[int, ...]) -> Tensor:
    """float32 [N,3,H,W] over ``data``, without a copy.

    Raises BadTensor naming the first picture that holds NaN or an infinity.
    """
    tensor = torch.frombuffer(data, dtype=torch.float32).reshape(shape)
    # A finite sum has finite terms; only where it is not (it may also overflow) each value is looked at.
    # NumPy's sum, because torch would wake its other threads for it, which takes longer than the sum.
    with np.errstate(all="ignore"):
        total = np.frombuffer(data, np.float32).sum()
    if np.isfinite(total):
        return tensor
    finite = torch.isfinite(tensor).flatten(1).all(dim=1)
    if not bool(finite.all()):
        first = int((~finite).nonzero()[0].item())
        raise BadTensor(f"picture {first + 1} of {shape[0]} holds NaN or an infinity")
    return tensor


def forward(network: nn.Module, batch: Tensor, device: torch.device) -> Tensor:
    """Logits, float32 [N,1000] on ``device``, of a batch [N,3,H,W].

    Raises NonFiniteOutput, or whatever torch raises.
    """
    with torch.inference_mode():
        logits: Tensor = network(batch.to(device))
        check_finite(logits)
        return logits


def check_finite(logits: Tensor) -> None:
    """Raises NonFiniteOutput naming the first picture whose logits, [N,1000], hold NaN or an infinity."""
    finite = torch.isfinite(logits)
    if bool(finite.all()):
        return
    first = int((~finite.all(dim=1)).nonzero()[0].item())
    raise NonFiniteOutput(f"the logits of picture {first + 1} of {len(logits)} are not finite")


def order(logits: Tensor) -> Ranking:
    """All classes of logits [N,1000] ranked, on the device where the logits are.

    Method: the tutorial's lines, ``softmax(out, dim=1) * 100`` and ``torch.sort(out, descending=True)``, so
    that bits and the order of ties are its own.
    """
    with torch.inference_mode():
        probabilities = torch.nn.functional.softmax(logits, dim=1)
        percentages = probabilities * 100
        _, indices = torch.sort(logits, descending=True)
        return Ranking(
            indices, probabilities.gather(1, indices), percentages.gather(1, indices), probabilities
        )


def is_out_of_memory(error: BaseException) -> bool:
    """Whether torch ran out of memory; before 1.13 it said so in the text of a RuntimeError only."""
    if isinstance(error, MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(phrase in str(error) for phrase in _MEMORY_PHRASES)
