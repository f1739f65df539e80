"""An environment that differs from its own in one thing: imported by a `.pth` file, chosen by ISOTORCH_FAKE.

Each patches Pillow to behave as another build of it would, for whoever imports it in this environment: the
worker and plain PyTorch alike.
"""

from __future__ import annotations

import importlib.util
import os
import sys

FAKE = os.environ.get("ISOTORCH_FAKE", "")


class _Patching:
    """Patches PIL.Image when it is imported: packages that come after this file are not there yet."""

    def find_spec(self, name, path=None, target=None):
        if name != "PIL.Image":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        execute = spec.loader.exec_module

        def exec_module(module):
            execute(module)
            patch(module)

        spec.loader.exec_module = exec_module
        return spec


def patch(module):
    """What FAKE names, in the module PIL.Image."""
    import numpy as np

    image = module.Image
    convert, resize = image.convert, image.resize

    def one_coefficient(self, mode=None, *args, **kwargs):
        """JPEG whose inverse cosine transform errs by one in one coefficient, where that is large."""
        made = convert(self, mode, *args, **kwargs)
        if mode != "RGB" or getattr(self, "format", None) != "JPEG":
            return made
        values = np.asarray(made).astype(np.int16)
        height, width = (side // 8 * 8 for side in values.shape[:2])
        x = np.cos((2 * np.arange(8) + 1) * 3 * np.pi / 16)
        y = np.cos((2 * np.arange(8) + 1) * 5 * np.pi / 16)
        basis = np.outer(y, x)
        blocks = values[:height, :width].reshape(height // 8, 8, width // 8, 8, 3)
        strength = np.einsum("aibjc,ij->abc", blocks, basis)
        sign = np.rint(basis).astype(np.int16)[None, :, None, :, None]
        blocks = blocks + sign * (np.abs(strength) > 60)[:, None, :, None, :]
        values[:height, :width] = blocks.reshape(height, width, 3)
        return module.fromarray(values.clip(0, 255).astype(np.uint8))

    def vertical_first(self, size, resample=None, box=None, reducing_gap=None):
        """A resize that always goes along the columns first."""
        if box is not None or self.mode != "RGB":
            return resize(self, size, resample, box, reducing_gap)
        return resize(resize(self, (self.width, size[1]), resample), tuple(size), resample)

    def one_colour(self, mode=None, *args, **kwargs):
        """A palette of which one entry comes out another colour."""
        if mode == "RGB" and self.mode == "P":
            self.load()
            self = self.copy()
            table = self.getpalette()
            table[2] ^= 1
            self.putpalette(table)
        return convert(self, mode, *args, **kwargs)

    if FAKE == "one coefficient":
        image.convert = one_coefficient
    elif FAKE == "vertical first":
        image.resize = vertical_first
    elif FAKE == "one colour":
        image.convert = one_colour


sys.meta_path.insert(0, _Patching())
