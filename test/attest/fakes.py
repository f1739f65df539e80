"""An environment that differs from its own in one thing: a fixture's `sitecustomize`, chosen by ISOTORCH_FAKE.

Each patches Pillow as another build of it would behave, for whoever imports it in this environment: the worker
and plain PyTorch alike.
"""

from __future__ import annotations

import os

import numpy as np
from PIL import Image

FAKE = os.environ.get("ISOTORCH_FAKE", "")
_convert = Image.Image.convert
_resize = Image.Image.resize


def _one_coefficient(self, mode=None, *args, **kwargs):
    """JPEG whose inverse cosine transform errs by one in one coefficient, where that is large."""
    made = _convert(self, mode, *args, **kwargs)
    if mode != "RGB" or not getattr(self, "format", None) == "JPEG" or made is self:
        return made
    values = np.asarray(made).astype(np.int16)
    height, width = (side // 8 * 8 for side in values.shape[:2])
    x = np.cos((2 * np.arange(8) + 1) * 3 * np.pi / 16)
    y = np.cos((2 * np.arange(8) + 1) * 5 * np.pi / 16)
    basis = np.outer(y, x)
    blocks = values[:height, :width].reshape(height // 8, 8, width // 8, 8, 3)
    strength = np.einsum("aibjc,ij->abc", blocks, basis)
    change = np.rint(basis)[None, :, None, :, None] * (np.abs(strength) > 60)[:, None, :, None, :]
    blocks += change.astype(np.int16)
    values[:height, :width] = blocks.reshape(height, width, 3)
    return Image.fromarray(values.clip(0, 255).astype(np.uint8))


def _vertical_first(self, size, resample=None, box=None, reducing_gap=None):
    """A resize that always goes along the columns first."""
    if box is not None or self.mode != "RGB":
        return _resize(self, size, resample, box, reducing_gap)
    return _resize(_resize(self, (self.width, size[1]), resample), tuple(size), resample)


def _one_colour(self, mode=None, *args, **kwargs):
    """A palette of which one entry comes out another colour."""
    if mode == "RGB" and self.mode == "P":
        table = self.getpalette()
        table[2] ^= 1
        self = self.copy()
        self.putpalette(table)
    return _convert(self, mode, *args, **kwargs)


if FAKE == "one coefficient":
    Image.Image.convert = _one_coefficient
elif FAKE == "vertical first":
    Image.Image.resize = _vertical_first
elif FAKE == "one colour":
    Image.Image.convert = _one_colour
