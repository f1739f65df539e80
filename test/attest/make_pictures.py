"""Pictures that the attestation does not hold itself: python make_pictures.py FOLDER."""

import sys
from pathlib import Path

import numpy as np
from PIL import Image

folder = Path(sys.argv[1])
rng = np.random.default_rng(11)


def picture(width: int, height: int) -> Image.Image:
    coarse = Image.fromarray(rng.integers(0, 256, (9, 7, 3), dtype=np.uint8))
    values = np.asarray(coarse.resize((width, height), 3)).astype(np.int16)
    values += rng.integers(-20, 21, values.shape, dtype=np.int16)
    return Image.fromarray(values.clip(0, 255).astype(np.uint8))


picture(400, 310).save(folder / "photo.jpg", quality=85)
picture(310, 700).save(folder / "tall.png")
picture(303, 620).save(folder / "tall.jpg", quality=92, subsampling=0)
picture(700, 300).save(folder / "wide.webp", quality=80)
picture(333, 290).quantize(200).save(folder / "palette.png")
