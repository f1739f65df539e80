"""Writes the built-in pictures, one per kind of file: ``make_attestation.py OUTDIR``.

``--check`` names the JPEG and PNG files of OUTDIR that are not what would be written. ``--coefficients``
prints, for each component of each sampling, in how many blocks the rarest coefficient is, and the smallest
and largest of them.

A worker's Pillow and sharp decode all of them at each start, and what differs is left to Pillow. So each
picture shows whatever two decoders may do differently in files of its kind: every coefficient, odd sizes,
colours outside of the range, each filter. JPEG and PNG files are written by hand, the same bytes everywhere;
WebP files are those of Pillow 9.4.
"""

from __future__ import annotations

import argparse
import io
import struct
from pathlib import Path

import numpy as np
from PIL import Image

from attestation_jpeg import encode_coefficients
from corpus_png import CHANNELS, encode_png
from make_corpus import exif_block

SAMPLINGS = {"444": (1, 1), "422": (2, 1), "420": (2, 2), "440": (1, 2)}
WIDTH, HEIGHT = 67, 45
SEED = 20
# 64 different enough steps per component, in zigzag order.
STEPS = [
    [2 + i * 5 % 11 for i in range(64)],
    [3 + i * 7 % 10 for i in range(64)],
    [4 + i * 3 % 8 for i in range(64)],
]


def jpeg_blocks(random: np.random.Generator, down: int, across: int, component: int) -> np.ndarray:
    """Quantised coefficients, int [down, across, 64]: flat, busy and glaring blocks side by side."""
    out = np.zeros((down, across, 64), int)
    for number in range(down * across):
        block = out[number // across, number % across]
        kind = (number * 5 + component * 2) % 7
        # A step of DC is a step of the mean by about half a grey.
        block[0] = random.integers(-280, 281) // STEPS[component][0] * (1 if component else 3)
        signs = random.choice([-1, 1], 64)
        if kind < (3 if component else 2):
            block[1:] = (random.integers(1, 4, 64) * signs)[1:]
        elif kind < 4:
            block[1:] = (random.integers(0, 1 + 160 // np.arange(1, 65)) * signs)[1:]
        elif kind == 4:
            block[[1, 2, 9, 20, 63]] = random.integers(-60, 61, 5)
        else:
            block[1:6] = random.integers(-9, 10, 5)
    return out


def coefficients(random: np.random.Generator) -> dict[str, list[np.ndarray]]:
    """The blocks of each component, by sampling."""
    found = {}
    for name in ("grey", *SAMPLINGS):
        factors = factors_of(name)
        h, v = factors[0]
        across, down = -(-WIDTH // (8 * h)), -(-HEIGHT // (8 * v))
        found[name] = [jpeg_blocks(random, down * y, across * x, c) for c, (x, y) in enumerate(factors)]
        for component in found[name]:
            # Far beyond what a picture gives: where 16 bits do not do, decoders may part.
            component[0, -1, [0, 1, 2, 5, 35, 63]] = [1000, -1023, 900, 1023, -700, 800]
    return found


def factors_of(name: str) -> list[tuple[int, int]]:
    """Sampling factors (horizontal, vertical) of each component."""
    return [(1, 1)] if name == "grey" else [SAMPLINGS[name], (1, 1), (1, 1)]


def jpegs(random: np.random.Generator) -> dict[str, bytes]:
    """All samplings, baseline and progressive, of the same coefficients each."""
    files = {}
    for name, blocks in coefficients(random).items():
        factors = factors_of(name)
        for progressive in (False, True):
            data = encode_coefficients(
                blocks, factors, STEPS[: len(factors)], WIDTH, HEIGHT, progressive=progressive
            )
            files[f"jpeg-{name}{'-progressive' if progressive else ''}.jpg"] = data
    return files


def pngs(random: np.random.Generator) -> dict[str, bytes]:
    """All colour types and depths, with each filter, every colour of a palette, and a key that is met."""
    names = {0: "grey", 2: "rgb", 3: "palette", 4: "greyalpha", 6: "rgba"}
    files = {}
    for colour, depth in [
        (0, 1),
        (0, 2),
        (0, 4),
        (0, 8),
        (2, 8),
        (3, 1),
        (3, 2),
        (3, 4),
        (3, 8),
        (4, 8),
        (6, 8),
    ]:
        for keyed in (False, True) if colour in (0, 2, 3) else (False,):
            for interlaced in (False, True):
                samples = random.integers(0, 1 << depth, (23, 25, CHANNELS[colour]))
                if colour == 3 and depth == 8:
                    samples[:12] = np.resize(random.permutation(256), (12, 25, 1))
                samples[14:17, 5:19] = samples[0, 0]
                if CHANNELS[colour] in (2, 4):
                    samples[3:9, 3:20, -1] = [[0], [255], [1], [254], [128], [0]]
                palette = random.bytes(3 << depth) if colour == 3 else None
                key = None
                if keyed:
                    key = samples[0, 0].astype(">u2").tobytes()
                    if palette:
                        key = random.bytes(max(1, (1 << depth) * 3 // 4))
                data = encode_png(
                    samples, colour, depth, palette=palette, transparency=key, interlaced=interlaced
                )
                name = f"png-{names[colour]}{depth}{'-trns' if keyed else ''}"
                files[f"{name}{'-interlaced' if interlaced else ''}.png"] = data
    return files


def scene(random: np.random.Generator) -> np.ndarray:
    """Uint8 [HEIGHT, WIDTH, 4]: noise, saturated stripes and smooth ramps in colour and in alpha."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    out = np.empty((HEIGHT, WIDTH, 4), np.uint8)
    for c in range(4):
        out[..., c] = (x * (c + 1) * 255 // WIDTH + y * (3 - c) * 255 // HEIGHT) % 256
    out[4:20, 5:25] = random.integers(0, 256, (16, 20, 4))
    out[22:40, 30:60, :3] = np.where(random.integers(0, 2, (18, 30, 3)), 255, 0)
    for i, colour in enumerate(
        [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0), (0, 255, 255), (255, 0, 255)]
    ):
        out[2:18, 30 + 5 * i : 35 + 5 * i, :3] = colour
    out[41:, :, 3] = 0
    return out


def webps(random: np.random.Generator) -> dict[str, bytes]:
    """Lossy and lossless, with and without alpha; colours under full transparency are kept."""
    files = {}
    for lossless in (False, True):
        for alpha in (False, True):
            image = Image.fromarray(scene(random)).convert("RGBA" if alpha else "RGB")
            out = io.BytesIO()
            image.save(out, "WEBP", lossless=lossless, quality=90, method=4, exact=True)
            name = f"webp-{'lossless' if lossless else 'lossy'}{'-alpha' if alpha else ''}.webp"
            files[name] = out.getvalue()
    return files


def turned(random: np.random.Generator) -> dict[str, bytes]:
    """One small JPEG with each of the eight orientations."""
    blocks = [jpeg_blocks(random, 2, 3, 0)]
    blocks[0][..., 1:] //= 8
    plain = encode_coefficients(blocks, [(1, 1)], STEPS[:1], 19, 11)
    files = {}
    for orientation in range(1, 9):
        body = b"Exif\0\0" + exif_block(orientation, "<>"[orientation % 2])
        exif = b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body
        files[f"orientation-{orientation}.jpg"] = plain[:20] + exif + plain[20:]
    return files


def describe_coefficients() -> None:
    """One line per component: name, fewest blocks that have a coefficient, smallest and largest amount."""
    for name, components in coefficients(np.random.default_rng(SEED)).items():
        for number, component in enumerate(components):
            amounts = np.abs(component.reshape(-1, 64))
            print(f"{name}/{number}", (amounts > 0).sum(0).min(), amounts[amounts > 0].min(), amounts.max())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("outdir", type=Path, nargs="?")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--coefficients", action="store_true")
    arguments = parser.parse_args()
    if arguments.coefficients:
        describe_coefficients()
        return
    random = np.random.default_rng(SEED)
    files = {name: data for make in (jpegs, pngs, webps, turned) for name, data in make(random).items()}
    for name, data in files.items():
        path = arguments.outdir / name
        if not arguments.check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        elif path.suffix != ".webp" and path.read_bytes() != data:
            print(name)


if __name__ == "__main__":
    main()
