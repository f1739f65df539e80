"""Writes the corpus of picture kinds that the decoder is compared on: ``make_corpus.py OUTDIR [--seed N]``.

Every file is generated, the same bytes for the same seed and Pillow. ``corpus.json`` lists them:
``[{"file": str, "kind": str}, ...]``. Needs Pillow and NumPy alone.
"""

from __future__ import annotations

import argparse
import io
import json
import struct
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms

from corpus_jpeg import encode_jpeg
from corpus_png import encode_png

SIZES = [(1, 1), (1, 5000), (5000, 1), (2, 3), (224, 224), (255, 255), (256, 256), (257, 257), (256, 300)]
SIZES += [(300, 256), (255, 256), (640, 480), (481, 639), (2000, 250), (250, 2000), (1280, 720)]


class Corpus:
    """Collects files and their kinds under one folder."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder, self.random, self.index = folder, np.random.default_rng(seed), []
        folder.mkdir(parents=True, exist_ok=True)

    def add(self, kind: str, name: str, data: bytes) -> None:
        (self.folder / name).write_bytes(data)
        self.index.append({"file": name, "kind": kind})

    def pixels(self, width: int, height: int, channels: int = 3) -> np.ndarray:
        """A textured picture, uint8 [height, width, channels]: gradients, waves, edges and noise."""
        y, x = np.mgrid[0:height, 0:width].astype(np.float32)
        out = np.empty((height, width, channels), np.uint8)
        for c in range(channels):
            a, b, phase = self.random.uniform(0.01, 0.6, 3)
            wave = 60 * np.sin(a * x + phase * 9) * np.cos(b * y)
            ramp = 200 * (x / width if c % 2 else y / height)
            edge = 70 * ((x // 13 + y // 17 + c) % 2)
            noise = self.random.integers(-25, 26, (height, width), dtype=np.int16)
            out[..., c] = np.clip(wave + ramp + edge + noise, 0, 255)
        return out

    def image(self, width: int, height: int, mode: str = "RGB") -> Image.Image:
        return Image.fromarray(self.pixels(width, height)).convert(mode)


def saved(image: Image.Image, form: str, **options: object) -> bytes:
    """The file that Pillow writes."""
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


def multi_picture(frames: list[bytes]) -> bytes:
    """JPEG files as one MPO (CIPA DC-007), which Pillow itself writes only since 9.3."""
    entries = 8 + 2 + 3 * 12 + 4
    segment = 2 + 2 + 4 + entries + 16 * len(frames)
    # Behind SOI and JFIF; the offsets in the index count from its TIFF header.
    place = 20
    sizes = [len(frames[0]) + segment, *map(len, frames[1:])]
    offsets = [0, *(sum(sizes[:i]) - place - 8 for i in range(1, len(frames)))]
    index = struct.pack("<4sLH", b"II*\0", 8, 3)
    index += struct.pack("<HHL4s", 0xB000, 7, 4, b"0100")
    index += struct.pack("<HHLL", 0xB001, 4, 1, len(frames))
    index += struct.pack("<HHLLL", 0xB002, 7, 16 * len(frames), entries, 0)
    for i, (size, offset) in enumerate(zip(sizes, offsets)):
        index += struct.pack("<LLLHH", 0 if i else 0x030000, size, offset, 0, 0)
    header = struct.pack(">HH4s", 0xFFE2, segment - 2, b"MPF\0")
    return frames[0][:place] + header + index + frames[0][place:] + b"".join(frames[1:])


def rgb_profile(name: str) -> bytes:
    """A small matrix/TRC ICC profile: ``srgb`` from LittleCMS, others with their own primaries and gamma."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    # LittleCMS writes the time of day, and its hash: the same bytes are wanted on every run.
    profile[24:36] = struct.pack(">6H", 2020, 1, 1, 0, 0, 0)
    profile[84:100] = bytes(16)
    if name == "srgb":
        return bytes(profile)
    # Columns XYZ adapted to D50, as 15.16 fixed point.
    columns = {
        "adobe": [(0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457)],
        "p3": [(0.51512, 0.24120, -0.00105), (0.29198, 0.69225, 0.04189), (0.15710, 0.06657, 0.78407)],
    }[name]
    for i in range(struct.unpack_from(">I", profile, 128)[0]):
        tag, offset, _ = struct.unpack_from(">4sII", profile, 132 + 12 * i)
        if tag in (b"rXYZ", b"gXYZ", b"bXYZ"):
            column = columns[b"rgb".index(tag[:1])]
            struct.pack_into(">iii", profile, offset + 8, *(round(v * 65536) for v in column))
    return bytes(profile)


def exif_block(orientation: int, endian: str = "<") -> bytes:
    """A TIFF block with the one tag Orientation."""
    mark = b"II*\0" if endian == "<" else b"MM\0*"
    return mark + struct.pack(endian + "IHHHIHHI", 8, 1, 0x0112, 3, 1, orientation, 0, 0)


def jpegs(corpus: Corpus) -> None:
    for name, value in [("444", 0), ("422", 1), ("420", 2)]:
        for width, height in SIZES:
            image = corpus.image(width, height)
            data = saved(image, "JPEG", subsampling=value, quality=88)
            corpus.add(f"jpeg {name}", f"jpeg-{name}-{width}x{height}.jpg", data)
        image = corpus.image(201, 157)
        data = saved(image, "JPEG", subsampling=value, quality=60, progressive=True)
        corpus.add("jpeg progressive", f"jpeg-progressive-{name}.jpg", data)
    for quality in (1, 30, 75, 95, 100):
        corpus.add(
            "jpeg quality", f"jpeg-q{quality}.jpg", saved(corpus.image(173, 211), "JPEG", quality=quality)
        )
    corpus.add("jpeg grey", "jpeg-grey.jpg", saved(corpus.image(99, 131, "L"), "JPEG"))
    corpus.add("jpeg grey", "jpeg-grey-p.jpg", saved(corpus.image(99, 131, "L"), "JPEG", progressive=True))
    corpus.add("jpeg cmyk", "jpeg-cmyk.jpg", saved(corpus.image(99, 131, "CMYK"), "JPEG"))
    planes = list(np.moveaxis(corpus.pixels(75, 53, 4), 2, 0))
    same = [(1, 1)] * 4
    own = {
        "jpeg 411": encode_jpeg(planes[:3], [(4, 1), (1, 1), (1, 1)]),
        "jpeg 440": encode_jpeg(planes[:3], [(1, 2), (1, 1), (1, 1)]),
        "jpeg 410": encode_jpeg(planes[:3], [(4, 2), (1, 1), (1, 1)]),
        "jpeg 441": encode_jpeg(planes[:3], [(1, 4), (1, 1), (1, 1)]),
        "jpeg odd chroma": encode_jpeg(planes[:3], [(2, 2), (2, 1), (1, 2)]),
        "jpeg full luma factors": encode_jpeg(planes[:3], [(2, 1)] * 3),
        "jpeg adobe rgb": encode_jpeg(planes[:3], same[:3], adobe=0, jfif=False),
        "jpeg adobe ycc": encode_jpeg(planes[:3], same[:3], adobe=1, jfif=False),
        "jpeg rgb ids": encode_jpeg(planes[:3], same[:3], jfif=False, ids=b"RGB"),
        "jpeg odd ids": encode_jpeg(planes[:3], same[:3], jfif=False, ids=b"\x05\x09\x0b"),
        "jpeg cmyk adobe 0": encode_jpeg(planes, same, adobe=0, jfif=False),
        "jpeg cmyk no adobe": encode_jpeg(planes, same, jfif=False),
        "jpeg ycck": encode_jpeg(planes, [(2, 2), (1, 1), (1, 1), (2, 2)], adobe=2, jfif=False),
        "jpeg restart": encode_jpeg(planes[:3], [(2, 2), (1, 1), (1, 1)], restart=3),
        "jpeg grey factors": encode_jpeg(planes[:1], [(2, 2)]),
    }
    for kind, data in own.items():
        corpus.add(kind, kind.replace(" ", "-") + "-own.jpg", data)
    for kind, old, new in [
        ("12-bit", b"\xff\xc0\0\x11\x08", b"\xff\xc1\0\x11\x0c"),
        ("arithmetic", b"\xff\xc0", b"\xff\xc9"),
    ]:
        corpus.add(f"jpeg {kind}", f"jpeg-{kind}.jpg", own["jpeg 440"].replace(old, new, 1))
    for orientation in range(1, 9):
        exif = b"Exif\0\0" + exif_block(orientation, "<>"[orientation % 2])
        data = saved(corpus.image(61, 43), "JPEG", exif=exif)
        corpus.add("jpeg exif", f"jpeg-exif-{orientation}.jpg", data)
    for name in ("srgb", "adobe", "p3"):
        data = saved(corpus.image(64, 48), "JPEG", icc_profile=rgb_profile(name))
        corpus.add("jpeg icc", f"jpeg-icc-{name}.jpg", data)
    corpus.add(
        "jpeg icc broken", "jpeg-icc-broken.jpg", saved(corpus.image(64, 48), "JPEG", icc_profile=b"no" * 99)
    )
    frames = [corpus.image(60, 40), corpus.image(60, 40)]
    corpus.add("jpeg mpo", "jpeg-mpo.jpg", multi_picture([saved(frame, "JPEG") for frame in frames]))
    corpus.add("jpeg 12 megapixels", "jpeg-large.jpg", saved(corpus.image(4000, 3000), "JPEG", quality=80))


def pngs(corpus: Corpus) -> None:
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
    kinds = [(0, d) for d in (1, 2, 4, 8, 16)] + [(3, d) for d in (1, 2, 4, 8)]
    kinds += [(c, d) for c in (2, 4, 6) for d in (8, 16)]
    names = {0: "grey", 2: "rgb", 3: "palette", 4: "grey alpha", 6: "rgba"}
    for colour, depth in kinds:
        for interlaced in (False, True):
            samples = corpus.random.integers(0, 1 << depth, (45, 67, channels[colour]))
            samples[:20, :30] = samples[0, 0]
            kind = f"png {names[colour]} {depth}" + (" interlaced" if interlaced else "")
            palette = corpus.random.bytes(3 << depth) if colour == 3 else None
            base = encode_png(samples, colour, depth, palette=palette, interlaced=interlaced)
            corpus.add(kind, kind.replace(" ", "-") + ".png", base)
            if colour not in (0, 2, 3):
                continue
            key = corpus.random.bytes(1 << depth) if palette else samples[0, 0].astype(">u2").tobytes()
            data = encode_png(
                samples, colour, depth, palette=palette, interlaced=interlaced, transparency=key
            )
            corpus.add(kind + " trns", kind.replace(" ", "-") + "-trns.png", data)
    samples = corpus.random.integers(0, 256, (45, 67, 1))
    within = encode_png(samples % 100, 3, 8, palette=corpus.random.bytes(300))
    corpus.add("png palette short", "png-palette-short.png", within)
    beyond = encode_png(samples, 3, 8, palette=corpus.random.bytes(300))
    corpus.add("png palette beyond", "png-palette-beyond.png", beyond)
    one = encode_png(samples, 3, 8, palette=corpus.random.bytes(768), transparency=b"\xff" * 9 + b"\0")
    corpus.add("png palette one clear", "png-palette-one-clear.png", one)
    rgb = corpus.pixels(67, 45).astype(int)
    chroma = struct.pack(">8I", 31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)
    icc = b"profile\0\0" + zlib.compress(rgb_profile("p3"))
    extras = {
        "gama": [(b"gAMA", struct.pack(">I", 45455))],
        "gama 1": [(b"gAMA", struct.pack(">I", 100000)), (b"cHRM", chroma)],
        "srgb": [(b"sRGB", b"\0")],
        "sbit": [(b"sBIT", b"\x05\x06\x05")],
        "icc": [(b"iCCP", icc)],
        "cicp": [(b"cICP", b"\x09\x10\0\x01")],
        "phys": [(b"pHYs", struct.pack(">IIB", 3000, 6000, 1))],
        "text": [(b"tEXt", b"Title\0x"), (b"zTXt", b"Note\0\0" + zlib.compress(b"y" * 9999))],
        "bkgd": [(b"bKGD", struct.pack(">3H", 200, 10, 90))],
    }
    for name, before in extras.items():
        corpus.add(f"png {name}", f"png-{name.replace(' ', '-')}.png", encode_png(rgb, 2, 8, before=before))
    grey = encode_png(rgb[..., :1], 0, 8, before=[(b"gAMA", struct.pack(">I", 45455)), (b"bKGD", b"\0\x20")])
    corpus.add("png grey gama", "png-grey-gama.png", grey)
    for orientation in (1, 6, 7):
        data = encode_png(rgb, 2, 8, before=[(b"eXIf", exif_block(orientation))])
        corpus.add("png exif", f"png-exif-{orientation}.png", data)
    for width, height in SIZES:
        corpus.add(
            "png sizes",
            f"png-{width}x{height}.png",
            saved(corpus.image(width, height), "PNG", compress_level=1),
        )
    frames = [corpus.image(40, 30) for _ in range(3)]
    corpus.add(
        "png animated", "png-animated.png", saved(frames[0], "PNG", save_all=True, append_images=frames[1:])
    )


def webps(corpus: Corpus) -> None:
    for width, height in [*SIZES, (63, 65)]:
        image = corpus.image(width, height)
        corpus.add(
            "webp lossy", f"webp-lossy-{width}x{height}.webp", saved(image, "WEBP", quality=70, method=2)
        )
        data = saved(image, "WEBP", lossless=True, quality=20, method=0)
        corpus.add("webp lossless", f"webp-lossless-{width}x{height}.webp", data)
    alpha = Image.fromarray(corpus.pixels(80, 60, 4), "RGBA")
    clear = np.array(alpha)
    clear[10:40, 10:50, 3] = 0
    hidden = Image.fromarray(clear, "RGBA")
    for name, image in [("alpha", alpha), ("clear", hidden)]:
        for lossless in (False, True):
            for exact in (False, True):
                data = saved(image, "WEBP", lossless=lossless, exact=exact)
                corpus.add(f"webp {name}", f"webp-{name}-{int(lossless)}{int(exact)}.webp", data)
    frames = [Image.fromarray(corpus.pixels(50, 40, 4), "RGBA") for _ in range(3)]
    for lossless in (False, True):
        data = saved(frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=lossless)
        corpus.add("webp animated", f"webp-animated-{int(lossless)}.webp", data)
    for orientation in (1, 5, 8):
        exif = b"Exif\0\0" + exif_block(orientation, ">")
        data = saved(corpus.image(50, 41), "WEBP", exif=exif, icc_profile=rgb_profile("adobe"))
        corpus.add("webp exif icc", f"webp-exif-{orientation}.webp", data)


def others(corpus: Corpus) -> None:
    image, grey = corpus.image(70, 50), corpus.image(70, 50, "L")
    palette = image.convert("P", palette=Image.Palette.ADAPTIVE)
    deep = Image.fromarray(corpus.pixels(70, 50, 1)[..., 0].astype(np.uint16) * 257)
    frames = [corpus.image(40, 30, "P") for _ in range(3)]
    files = {
        "gif": saved(palette, "GIF"),
        "gif transparent": saved(palette, "GIF", transparency=3),
        "gif animated": saved(frames[0], "GIF", save_all=True, append_images=frames[1:]),
        "bmp": saved(image, "BMP"),
        "bmp palette": saved(palette, "BMP"),
        "bmp 1-bit": saved(grey.convert("1"), "BMP"),
        "tiff": saved(image, "TIFF"),
        "tiff lzw": saved(image, "TIFF", compression="tiff_lzw"),
        "tiff 16-bit": saved(deep, "TIFF"),
        "tiff cmyk": saved(corpus.image(70, 50, "CMYK"), "TIFF"),
        "tiff 1-bit": saved(grey.convert("1"), "TIFF"),
        "ico": saved(corpus.image(64, 64, "RGBA"), "ICO", sizes=[(16, 16), (64, 64)]),
        "ppm": saved(image, "PPM"),
        "ppm grey": saved(grey, "PPM"),
        "ppm 1-bit": saved(grey.convert("1"), "PPM"),
        "jp2": saved(image, "JPEG2000"),
        "j2k": saved(image, "JPEG2000", no_jp2=True),
    }
    for kind, data in files.items():
        corpus.add(kind, kind.replace(" ", "-") + "." + kind.split()[0], data)


def main(more: Sequence[Callable[[Corpus], None]] = ()) -> None:
    """The command. more: parts that write further pictures, after those that are always written."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("outdir", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    corpus = Corpus(arguments.outdir, arguments.seed)
    for part in (jpegs, pngs, webps, others, *more):
        part(corpus)
    (arguments.outdir / "corpus.json").write_text(json.dumps(corpus.index, indent=1) + "\n")


if __name__ == "__main__":
    main()
