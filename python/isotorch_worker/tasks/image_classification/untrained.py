"""A real checkpoint made offline: seeded weights whose answers are sane, though they mean nothing."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from isotorch_worker.checkpoints.made import ensure, make
from isotorch_worker.checkpoints.networks import NETWORKS
from isotorch_worker.runtime.build import builder

_PASSES, _BATCH, _SIZE = 3, 16, 128
# Networks that take no smaller pictures, by the first word of their names.
_SIZES = {"inception": 299, "maxvit": 224, "vit": 224}
_HEAD_DEVIATION = 0.02
_RESIDUAL_SCALE = 0.2
_LOGIT_SPREAD = 1.2


def make_untrained(path: Path, seed: int, model: str = "resnet101") -> str:
    """Make the checkpoint of ``seed`` at ``path``, with ``path + ".sha256"`` beside it; returns the SHA-256.

    The file is a standard state dict of torchvision's ``model``, as torch.save writes it. Raises as ``make``.
    """
    return make(path, lambda: _saved(seed, model))


def ensure_untrained(path: Path, seed: int, model: str = "resnet101") -> str:
    """The SHA-256 of the made checkpoint at ``path``, made if it is not there. Raises as ``ensure``."""
    return ensure(path, lambda: _saved(seed, model))


def untrained_state(seed: int, model: str = "resnet101") -> dict[str, Tensor]:
    """The state dict of ``seed``; the global random state is left as it was.

    Method: torchvision's initialisation with small residual branches, BatchNorm statistics as the mean over
    training passes (momentum=None) on seeded noise that has the spectrum of photographs, and the last layer
    centred and scaled so that logits spread by about one. Where torchvision begins with a last layer of
    zeros, as in its vision transformers, it is drawn first. Raises InvalidOption as ``builder``.
    """
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        # GoogLeNet and Inception say that they will draw otherwise in later versions.
        warnings.simplefilter("ignore", FutureWarning)
        torch.manual_seed(seed)
        network: nn.Module = builder(model)(weights=None)
        head: Any = network.get_submodule(NETWORKS[model].head)
        if not bool(head.weight.any()):
            nn.init.normal_(head.weight, std=_HEAD_DEVIATION)
    noise = torch.Generator().manual_seed(seed)
    size = _SIZES.get(model.partition("_")[0], _SIZE)
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    for name, parameter in network.named_parameters():
        # With branches as strong as the trunk, 33 blocks blow up whatever is unlike the noise.
        if name.endswith("bn3.weight"):
            nn.init.constant_(parameter, _RESIDUAL_SCALE)
    for norm in norms:
        norm.momentum = None  # pyright: ignore[reportAttributeAccessIssue]
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        # Dropout draws, too.
        torch.manual_seed(seed)
        network.train()
        for _ in range(_PASSES if norms else 0):
            network(_picture_noise(noise, size))
        network.eval()
        logits: Tensor = network(_picture_noise(noise, size))
        mean = logits.mean(dim=0)
        gain = _LOGIT_SPREAD / (logits - mean).std()
        head.weight.mul_(gain)
        # What follows a convolution as head is cut off at zero: it is not centred.
        if head.bias is not None:
            head.bias.sub_(mean if isinstance(head, nn.Linear) else 0).mul_(gain)
    return network.state_dict()


def _picture_noise(generator: torch.Generator, size: int) -> Tensor:
    """Noise [16,3,size,size], float32, normalised units: octaves whose amplitude falls as in photographs."""
    picture = torch.zeros(_BATCH, 3, size, size)
    one = (_BATCH, 1, 1, 1)
    roughness = 0.3 + 0.8 * torch.rand(one, generator=generator)
    cells = 4
    while cells <= size:
        grey = torch.randn(_BATCH, 1, cells, cells, generator=generator)
        colour = torch.randn(_BATCH, 3, cells, cells, generator=generator)
        octave = F.interpolate(grey + 0.4 * colour, size=(size, size), mode="bilinear", align_corners=False)
        picture += octave * (4.0 / cells) ** roughness
        cells *= 2
    contrast = 0.3 + torch.rand(one, generator=generator)
    brightness = 0.7 * torch.randn(one, generator=generator)
    tint = 0.4 * torch.randn(_BATCH, 3, 1, 1, generator=generator)
    scaled = picture / picture.std(dim=(1, 2, 3), keepdim=True) * contrast + brightness + tint
    # The range of normalised pixels.
    return scaled.clamp(-2.1, 2.6)


def _saved(seed: int, model: str) -> list[memoryview]:
    buffer = io.BytesIO()
    torch.save(untrained_state(seed, model), buffer)
    return [buffer.getbuffer()]
