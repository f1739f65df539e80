"""Tall pictures: wider than 256 and more than twice as tall as wide.

Pillow 13 changed how it resamples such pictures. Sizes on both sides of the border belong to them.
"""

from __future__ import annotations

import numpy as np
from PIL import Image

from corpus_png import encode_png
from make_corpus import Corpus, exif_block, saved

SIZES = [(257, 515), (258, 517), (300, 601), (300, 700), (320, 1000), (401, 803), (511, 1300)]
SIZES += [(640, 1281), (299, 3000), (1080, 2400)]
# As tall as twice the width, and no wider than 256.
BORDER = [(300, 600), (256, 513), (257, 514)]


def tall(corpus: Corpus) -> None:
    for number, (width, height) in enumerate([*SIZES, *BORDER]):
        image = corpus.image(width, height)
        name = f"{width}x{height}"
        jpeg = {"subsampling": number % 3, "progressive": number % 2 == 1, "quality": 85}
        corpus.add("tall jpeg", f"tall-{name}.jpg", saved(image, "JPEG", **jpeg))
        corpus.add("tall png", f"tall-{name}.png", saved(image, "PNG", compress_level=1))
        lossless = number % 3 == 2 and height < 1500
        options = {"lossless": True, "quality": 10, "method": 0} if lossless else {"quality": 80, "method": 2}
        corpus.add("tall webp", f"tall-{name}.webp", saved(image, "WEBP", **options))
    modes(corpus)


def modes(corpus: Corpus) -> None:
    """The same shape in other modes than RGB."""
    size = (300, 700)
    image = corpus.image(*size)
    rgba = Image.fromarray(corpus.pixels(*size, 4), "RGBA")
    deep = np.asarray(image.convert("L")).astype(int)[..., None] * 257
    files = {
        "grey.jpg": saved(image.convert("L"), "JPEG"),
        "cmyk.jpg": saved(image.convert("CMYK"), "JPEG"),
        "exif.jpg": saved(image, "JPEG", exif=b"Exif\0\0" + exif_block(6)),
        "grey.png": saved(image.convert("L"), "PNG"),
        "palette.png": saved(image.convert("P", palette=Image.Palette.ADAPTIVE), "PNG"),
        "rgba.png": saved(rgba, "PNG", compress_level=1),
        "grey-16.png": encode_png(deep, 0, 16),
        "rgba.webp": saved(rgba, "WEBP", lossless=True, quality=10, method=0),
        "gif.gif": saved(image.convert("P", palette=Image.Palette.ADAPTIVE), "GIF"),
        "bmp.bmp": saved(image, "BMP"),
    }
    for name, data in files.items():
        corpus.add("tall " + name.split(".", maxsplit=1)[0], f"tall-{name}", data)
