"""Odd JPEG and PNG files: markers, segments and chunks that few programs write.

Some of them are no valid files. What counts is that both sides read the same, or that both refuse.
"""

from __future__ import annotations

import struct
import zlib

import numpy as np
from PIL import Image

from corpus_jpeg import encode_jpeg
from corpus_png import chunk, encode_png
from make_corpus import Corpus, exif_block, multi_picture, rgb_profile, saved

JFIF = b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0"


def segment(marker: int, body: bytes) -> bytes:
    """One JPEG segment."""
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def behind(data: bytes, place: int, more: bytes) -> bytes:
    """The file with something put in at a place."""
    return data[:place] + more + data[place:]


def directory(entries: list[tuple[int, int, int, bytes]], count: int | None = None) -> bytes:
    """A little-endian EXIF block of (tag, type, number of values, four bytes); `count` may lie."""
    body = b"".join(struct.pack("<HHI", *entry[:3]) + entry[3] for entry in entries)
    return b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<H", count or len(entries)) + body + bytes(4)


def wide_tables(data: bytes) -> bytes:
    """A baseline JPEG as extended sequential, with quantisers of 16 bits."""
    out, place = bytearray(data[:2]), 2
    while data[place + 1] != 0xDA:
        marker, length = data[place + 1], struct.unpack_from(">H", data, place + 2)[0]
        body = data[place + 4 : place + 2 + length]
        if marker == 0xDB:
            tables = [body[i : i + 65] for i in range(0, len(body), 65)]
            body = b"".join(
                bytes([0x10 | table[0]]) + np.frombuffer(table[1:], np.uint8).astype(">u2").tobytes()
                for table in tables
            )
        out += segment(0xC1 if marker == 0xC0 else marker, body)
        place += 2 + length
    return bytes(out) + data[place:]


def odd_jpegs(corpus: Corpus) -> None:
    base = saved(corpus.image(83, 61), "JPEG", quality=90)
    bare = base[:2] + base[20:]  # without the JFIF segment
    planes = list(np.moveaxis(corpus.pixels(75, 53, 4), 2, 0))
    same = [(1, 1)] * 4
    long, short = struct.pack("<I", 6), struct.pack("<HH", 6, 0)
    xmp = b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta xmlns:x='adobe:ns:meta/' tiff:Orientation='6'/>"
    profile = rgb_profile("p3")
    parts = [profile[:200], profile[200:]]
    icc = [
        segment(0xE2, b"ICC_PROFILE\0" + bytes([number, 2]) + part) for number, part in enumerate(parts, 1)
    ]
    resolution = struct.pack(">4sHBBI", b"8BIM", 0x03ED, 0, 0, 16) + struct.pack(
        ">IHHIHH", 72 << 16, 1, 1, 0, 1, 1
    )
    frames = [saved(corpus.image(60, 40), "JPEG") for _ in range(2)]
    cmyk = saved(corpus.image(99, 131, "CMYK"), "JPEG", quality=80, progressive=True)
    files = {
        "jfif-short": behind(bare, 2, segment(0xE0, JFIF[:7])),
        "jfif-empty": behind(bare, 2, segment(0xE0, b"JFIF\0")),
        "jfif-aspect": behind(bare, 2, segment(0xE0, JFIF[:7] + b"\0\0\x01\0\x02\0\0")),
        "jfif-after-exif": behind(bare, 2, segment(0xE1, b"Exif\0\0" + exif_block(3)) + segment(0xE0, JFIF)),
        "jfif-twice": behind(base, 20, segment(0xE0, JFIF)),
        "jfxx-thumbnail": behind(base, 20, segment(0xE0, b"JFXX\0\x13\x01\x01\x10\x20\x30")),
        "exif-long": behind(base, 20, segment(0xE1, directory([(0x0112, 4, 1, long)]))),
        "exif-nine": behind(base, 20, segment(0xE1, b"Exif\0\0" + exif_block(9))),
        "exif-overrun": behind(base, 20, segment(0xE1, directory([(0x0112, 3, 1, short)], 500))),
        "exif-zero-resolution": behind(
            base, 20, segment(0xE1, directory([(0x011A, 5, 1, struct.pack("<I", 26))]) + bytes(8))
        ),
        "exif-no-header": behind(base, 20, segment(0xE1, b"Exif\0\0")),
        "xmp-orientation": behind(base, 20, segment(0xE1, xmp)),
        "fill-bytes": base[:20] + b"\xff\xff\xff" + base[20:],
        "comments": behind(base, 20, segment(0xFE, b"one") + segment(0xFE, bytes(range(256)) * 200)),
        "tail": base + bytes(range(256)),
        "twice": base + frames[0],
        "no-end": base[:-2],
        "restart-zero": behind(base, 20, segment(0xDD, b"\0\0")),
        "icc-two": behind(base, 20, icc[0] + icc[1]),
        "icc-two-reversed": behind(base, 20, icc[1] + icc[0]),
        "icc-one-of-two": behind(base, 20, icc[0]),
        "photoshop": behind(base, 20, segment(0xED, b"Photoshop 3.0\0" + resolution)),
        "photoshop-cut": behind(base, 20, segment(0xED, b"Photoshop 3.0\0" + resolution[:15])),
        "mpf-garbage": behind(base, 20, segment(0xE2, b"MPF\0" + b"\x55" * 40)),
        "mpo-cut": multi_picture(frames)[: len(frames[0]) + 90],
        "wide-tables": wide_tables(base),
        "adobe-grey": encode_jpeg(planes[:1], same[:1], adobe=0, jfif=False),
        "adobe-two-of-three": encode_jpeg(planes[:3], same[:3], adobe=2, jfif=False),
        "adobe-rgb-420": encode_jpeg(planes[:3], [(2, 2), (1, 1), (1, 1)], adobe=0, jfif=False),
        "adobe-rgb-jfif": encode_jpeg(planes[:3], same[:3], adobe=0),
        "cmyk-progressive": cmyk,
        "cmyk-420": encode_jpeg(planes, [(2, 2), (1, 1), (1, 1), (2, 2)], adobe=0, jfif=False),
        "ycck-restart": encode_jpeg(planes, same, adobe=2, jfif=False, restart=5),
        "two-components": encode_jpeg(planes[:2], same[:2]),
    }
    for name, data in files.items():
        corpus.add("odd jpeg", f"odd-{name}.jpg", data)


def odd_pngs(corpus: Corpus) -> None:
    rgb = corpus.pixels(67, 45).astype(int)
    grey = corpus.random.integers(0, 1 << 16, (45, 67, 1))
    index = corpus.random.integers(0, 16, (45, 67, 1))
    colours = corpus.random.bytes(3 * 16)
    base = encode_png(rgb, 2, 8)
    data = base.index(b"IDAT") - 4
    end = len(base) - 12
    frame = struct.pack(">5I2H2B", 0, 67, 45, 0, 0, 1, 10, 0, 0)
    grey_profile = b"x\0\0" + zlib.compress(rgb_profile("srgb").replace(b"RGB XYZ ", b"GRAYXYZ ", 1))
    files = {
        "fctl-alone": behind(base, data, chunk(b"fcTL", frame)),
        "fctl-short": behind(base, data, chunk(b"fcTL", frame[:10])),
        "fdat-alone": behind(base, end, chunk(b"fdAT", bytes(4) + zlib.compress(bytes(99)))),
        "actl-none": behind(base, data, chunk(b"acTL", bytes(8))),
        "actl-one": behind(base, data, chunk(b"acTL", struct.pack(">II", 1, 0)) + chunk(b"fcTL", frame)),
        "actl-short": behind(base, data, chunk(b"acTL", bytes(3))),
        "rgb-palette": encode_png(rgb, 2, 8, palette=colours),
        "palette-not-threes": encode_png(index, 3, 8, palette=colours + b"\x01"),
        "palette-two-bytes": encode_png(index * 0, 3, 8, palette=b"\x10\x20"),
        "palette-trns-long": encode_png(index, 3, 8, palette=colours, transparency=bytes(range(40))),
        "palette-trns-none": encode_png(index, 3, 8, palette=colours, transparency=b""),
        "palette-4-interlaced": encode_png(
            index, 3, 4, palette=colours, transparency=b"\0\x80", interlaced=True
        ),
        "rgba-trns": encode_png(corpus.pixels(67, 45, 4).astype(int), 6, 8, transparency=bytes(6)),
        "grey-16-trns": encode_png(grey, 0, 16, transparency=grey[0, 0].astype(">u2").tobytes()),
        "grey-16-bytes": encode_png(grey, 0, 16, idat=1),
        "idat-empty": behind(base, data, chunk(b"IDAT", b"")),
        "icc-broken": encode_png(rgb, 2, 8, before=[(b"iCCP", b"x\0\0no zlib")]),
        "icc-grey": encode_png(rgb, 2, 8, before=[(b"iCCP", grey_profile)]),
        "exif-last": behind(base, end, chunk(b"eXIf", exif_block(6))),
        "exif-short": encode_png(rgb, 2, 8, before=[(b"eXIf", b"II")]),
        "private-chunk": encode_png(rgb, 2, 8, before=[(b"prVt", bytes(300))]),
        "text-broken": encode_png(rgb, 2, 8, before=[(b"zTXt", b"Note\0\0no zlib")]),
        "phys-zero": encode_png(rgb, 2, 8, before=[(b"pHYs", bytes(9))]),
        "checksum": behind(base, data, chunk(b"tEXt", b"Title\0x")[:-4] + bytes(4)),
        "tail": base + bytes(range(256)),
        "no-end": base[:-12],
        "one-bit-one": encode_png(np.ones((1, 1, 1), int), 0, 1, interlaced=True),
    }
    for name, content in files.items():
        corpus.add("odd png", f"odd-{name}.png", content)
    bits = Image.fromarray(corpus.pixels(70, 50)).convert("1")
    corpus.add("odd png", "odd-one-bit.png", saved(bits, "PNG", transparency=0))
