"""Odd files of the other formats: WebP, TIFF, ICO, JPEG 2000, BMP, GIF and the portable ones.

Some of them are no valid files. What counts is that both sides read the same, or that both refuse.
"""

from __future__ import annotations

import struct

import numpy as np
from PIL import Image

from corpus_png import encode_png
from make_corpus import Corpus, exif_block, saved


def riff(*chunks: tuple[bytes, bytes], size: int | None = None) -> bytes:
    """A WebP file of these chunks; `size` may lie."""
    body = b"WEBP"
    for name, data in chunks:
        body += name + struct.pack("<I", len(data)) + data + bytes(len(data) % 2)
    return b"RIFF" + struct.pack("<I", len(body) if size is None else size) + body


def canvas(width: int, height: int, flags: int = 0) -> bytes:
    """The body of VP8X."""
    return struct.pack("<I", flags) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")


def odd_webps(corpus: Corpus) -> None:
    image = corpus.image(71, 53)
    simple = saved(image, "WEBP", quality=80)
    picture = (simple[12:16], simple[20 : 20 + struct.unpack_from("<I", simple, 16)[0]])
    wide = canvas(71, 53)
    rgba = Image.fromarray(corpus.pixels(71, 53, 4), "RGBA")
    files = {
        "vp8x-plain": riff((b"VP8X", wide), picture),
        "vp8x-long": riff((b"VP8X", wide + bytes(8)), picture),
        "vp8x-short": riff((b"VP8X", wide[:8]), picture),
        "vp8x-flags": riff((b"VP8X", canvas(71, 53, 0x3C)), picture),
        "vp8x-larger": riff((b"VP8X", canvas(100, 80)), picture),
        "unknown-first": riff((b"VP8X", wide), (b"ABCD", b"odd"), picture),
        "unknown-before-vp8x": riff((b"ABCD", b"even"), (b"VP8X", wide), picture),
        "exif-first": riff((b"VP8X", canvas(71, 53, 8)), (b"EXIF", exif_block(6)), picture),
        "riff-short": riff(picture, size=30),
        "riff-long": riff(picture, size=len(simple) + 100),
        "tail": simple + b"x",
        "alpha-lossy": saved(rgba, "WEBP", quality=60, alpha_quality=30),
    }
    for name, data in files.items():
        corpus.add("odd webp", f"odd-{name}.webp", data)


def tiff(
    tags: list[tuple[int, int, list[int]]], data: bytes, *, order: str = "<", big: bool = False
) -> bytes:
    """A TIFF or BigTIFF of one strip. tags: (tag, 3 SHORT or 4 LONG, values), without 273 and 279."""
    codes = {3: "H", 4: "I"}
    inline, offset = (8, "Q") if big else (4, "I")
    entries = sorted([*tags, (273, 4, [0]), (279, 4, [len(data)])])
    start = 16 if big else 8
    values_at = start + (8 if big else 2) + (20 if big else 12) * len(entries) + (8 if big else 4)
    packed = [struct.pack(f"{order}{len(v)}{codes[kind]}", *v) for _, kind, v in entries]
    values = b"".join(part for part in packed if len(part) > inline)
    place, out, later = values_at + len(values), b"", values_at
    for (tag, kind, v), part in zip(entries, packed):
        if tag == 273:
            part = struct.pack(order + "I", place)
        out += struct.pack(order + "HH" + offset, tag, kind, len(v))
        if len(part) > inline:
            out, later = out + struct.pack(order + offset, later), later + len(part)
        else:
            out += part.ljust(inline, b"\0")
    mark = b"II" if order == "<" else b"MM"
    head = struct.pack(order + "HHHQ", 43, 8, 0, 16) if big else struct.pack(order + "HI", 42, 8)
    count = struct.pack(order + ("Q" if big else "H"), len(entries))
    return mark + head + count + out + bytes(inline) + values + data


def odd_tiffs(corpus: Corpus) -> None:
    pixels = corpus.pixels(70, 50)
    image = Image.fromarray(pixels)
    grey = pixels[..., 0]

    def tags(
        bits: list[int], photometric: int, *more: tuple[int, int, list[int]]
    ) -> list[tuple[int, int, list[int]]]:
        size = [(256, 3, [70]), (257, 3, [50]), (278, 3, [50])]
        return [*size, (258, 3, bits), (259, 3, [1]), (262, 3, [photometric]), (277, 3, [len(bits)]), *more]

    rgb, deep = tags([8] * 3, 2), pixels.astype(np.uint16) * 257
    planes = np.moveaxis(pixels, 2, 0).tobytes()
    files = {
        "big": tiff(rgb, pixels.tobytes(), big=True),
        "big-motorola": tiff(rgb, pixels.tobytes(), big=True, order=">"),
        "motorola": tiff(rgb, pixels.tobytes(), order=">"),
        "white-is-zero": tiff(tags([8], 0), grey.tobytes()),
        "orientation": tiff(tags([8] * 3, 2, (274, 3, [6])), pixels.tobytes()),
        "rgb-16": tiff(tags([16] * 3, 2), deep.tobytes()),
        "grey-16-motorola": tiff(
            tags([16], 1), (grey.astype(np.uint16) * 257).astype(">u2").tobytes(), order=">"
        ),
        "planes": tiff(tags([8] * 3, 2, (284, 3, [2])), planes),
        "palette": tiff(
            tags([8], 3, (320, 3, corpus.random.integers(0, 1 << 16, 768).tolist())), grey.tobytes()
        ),
        "alpha": tiff(tags([8] * 4, 2, (338, 3, [2])), corpus.pixels(70, 50, 4).tobytes()),
        "alpha-premultiplied": tiff(tags([8] * 4, 2, (338, 3, [1])), corpus.pixels(70, 50, 4).tobytes()),
        "cmyk": tiff(tags([8] * 4, 5), corpus.pixels(70, 50, 4).tobytes()),
        "lab": tiff(tags([8] * 3, 8), pixels.tobytes()),
        "float": saved(Image.fromarray(grey.astype(np.float32)), "TIFF"),
        "packbits": saved(image, "TIFF", compression="packbits"),
        "deflate": saved(image, "TIFF", compression="tiff_adobe_deflate"),
        "jpeg": saved(image, "TIFF", compression="jpeg"),
        "pages": saved(image, "TIFF", save_all=True, append_images=[corpus.image(20, 30)]),
    }
    for name, data in files.items():
        corpus.add("odd tiff", f"odd-{name}.tif", data)


def icon(pictures: list[tuple[int, int, int, bytes]]) -> bytes:
    """An ICO of (width, height, bits, body)."""
    place, head, bodies = 6 + 16 * len(pictures), struct.pack("<3H", 0, 1, len(pictures)), b""
    for width, height, bits, body in pictures:
        head += struct.pack(
            "<4B2H2I", width % 256, height % 256, 0, 0, 1, bits, len(body), place + len(bodies)
        )
        bodies += body
    return head + bodies


def bitmap(
    width: int, height: int, bits: int, rows: bytes, *, between: bytes = b"", coding: int = 0
) -> bytes:
    """A BITMAPINFOHEADER with its pixels; `between` is a palette, or the masks that coding 3 wants."""
    head = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, coding, len(rows), 0, 0, 0, 0)
    return head + between + rows


def bmp(body: bytes, offset: int) -> bytes:
    return b"BM" + struct.pack("<IHHI", 14 + len(body), 0, 0, 14 + offset) + body


def odd_others(corpus: Corpus) -> None:
    image = corpus.image(70, 50)
    rgba = corpus.pixels(32, 32, 4)
    png = encode_png(rgba.astype(int), 6, 8)
    # In an icon the height counts the mask too.
    four = bitmap(32, 64, 32, rgba.tobytes()) + bytes(32 * 4)
    colours = corpus.random.bytes(16 * 4)
    indexed = bitmap(32, 64, 4, corpus.random.bytes(16 * 32), between=colours) + b"\x0f" * (32 * 4)
    jp2 = saved(image, "JPEG2000")
    boxes = jp2.index(b"jp2h") - 4
    uuid = (
        b"uuid" + bytes(16) + struct.pack(">I", 22) + b"ihdr" + struct.pack(">IIHBBBB", 9, 9, 1, 7, 7, 0, 0)
    )
    rows = corpus.random.integers(0, 1 << 16, (50, 70)).astype("<u2").tobytes()
    masks = struct.pack("<3I", 0xF800, 0x07E0, 0x001F)
    wide = image.convert("P", palette=Image.Palette.ADAPTIVE)
    files = {
        "png.ico": icon([(32, 32, 32, png)]),
        "bitmap-32.ico": icon([(32, 32, 32, four)]),
        "bitmap-4.ico": icon([(32, 32, 4, indexed)]),
        "second-broken.ico": icon([(32, 32, 32, png), (16, 16, 32, b"no picture")]),
        "size-lies.ico": icon([(16, 16, 32, png)]),
        "uuid.jp2": jp2[:boxes] + struct.pack(">I", len(uuid) + 4) + uuid + jp2[boxes:],
        "grey.jp2": saved(image.convert("L"), "JPEG2000"),
        "rgba.jp2": saved(Image.fromarray(rgba, "RGBA"), "JPEG2000"),
        "lossy.jp2": saved(image, "JPEG2000", irreversible=True, quality_mode="rates", quality_layers=[8]),
        "top-down.bmp": bmp(
            bitmap(70, -50, 24, b"".join(row.tobytes() + bytes(2) for row in corpus.pixels(70, 50))), 40
        ),
        "565.bmp": bmp(bitmap(70, 50, 16, rows, between=masks, coding=3), 52),
        "555.bmp": bmp(bitmap(70, 50, 16, rows), 40),
        "core.bmp": bmp(struct.pack("<IHHHH", 12, 32, 32, 1, 32) + rgba.tobytes(), 12),
        "32.bmp": bmp(bitmap(32, 32, 32, rgba.tobytes()), 40),
        "interlaced.gif": saved(wide, "GIF", interlace=1),
        "tail.gif": saved(wide, "GIF") + b"tail",
        "no-end.gif": saved(wide, "GIF")[:-1],
        "offset.gif": saved(wide, "GIF").replace(b",\0\0\0\0F\0", b",\x05\0\x03\0F\0", 1),
        "comment.ppm": b"P6\n# a comment\n70 50\n# another\n255\n" + corpus.pixels(70, 50).tobytes(),
        "low.ppm": b"P6 70 50 100\n" + (corpus.pixels(70, 50) % 101).tobytes(),
        "deep.pgm": b"P5 70 50 65535\n" + corpus.random.bytes(7000),
        "text.ppm": b"P3 2 1 255 1 2 3 250 251 252\n",
    }
    for name, data in files.items():
        corpus.add("odd " + name.rsplit(".", maxsplit=1)[1], f"odd-{name}", data)
