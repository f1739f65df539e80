"""A small baseline JPEG encoder, for the kinds of JPEG that Pillow does not write.

Method: ITU-T T.81 (baseline sequential, Huffman, the typical tables of Annex K). Any number of components
and any sampling factors; restart intervals; raw component values: the caller chooses the colour space.
"""

from __future__ import annotations

import struct

import numpy as np

DC_BITS = bytes([0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0])
DC_VALUES = bytes(range(12))


def _ac_table() -> tuple[bytes, bytes]:
    """A flat AC table: every (run, size) pair has an 8-bit or 9-bit code, none is all ones."""
    values = [0x00, 0xF0] + [run << 4 | size for run in range(16) for size in range(1, 11)]
    bits = [0] * 16
    bits[7] = len(values)
    return bytes(bits), bytes(values)


AC_BITS, AC_VALUES = _ac_table()


def _zigzag() -> list[int]:
    """Positions of an 8x8 block, row by row numbers, in zigzag order."""
    cells = [(y, x) for y in range(8) for x in range(8)]
    cells.sort(key=lambda c: (c[0] + c[1], c[0] if (c[0] + c[1]) % 2 else c[1]))
    return [y * 8 + x for y, x in cells]


ZIGZAG = _zigzag()


def huffman_codes(bits: bytes, values: bytes) -> dict[int, tuple[int, int]]:
    """Canonical Huffman codes: value -> (code, length)."""
    table, code, index = {}, 0, 0
    for length, count in enumerate(bits, 1):
        for _ in range(count):
            table[values[index]] = (code, length)
            code, index = code + 1, index + 1
        code <<= 1
    return table


DC_CODES, AC_CODES = huffman_codes(DC_BITS, DC_VALUES), huffman_codes(AC_BITS, AC_VALUES)


class Bits:
    """Collects bits into bytes, with a zero byte after each 0xFF."""

    def __init__(self) -> None:
        self.out, self.held, self.count = bytearray(), 0, 0

    def put(self, value: int, length: int) -> None:
        self.held = self.held << length | value
        self.count += length
        while self.count >= 8:
            self.count -= 8
            byte = self.held >> self.count & 0xFF
            self.out += b"\xff\x00" if byte == 0xFF else bytes([byte])
        self.held &= (1 << self.count) - 1

    def align(self) -> None:
        if self.count:
            self.put((1 << 8 - self.count) - 1, 8 - self.count)


def magnitude(value: int) -> tuple[int, int]:
    """The bits of a coefficient and how many there are."""
    size = abs(value).bit_length()
    return (value if value >= 0 else value + (1 << size) - 1), size


def put_block(
    bits: Bits, block: list[int], previous: int, ac_codes: dict[int, tuple[int, int]] | None = None
) -> None:
    """One baseline block, 64 quantised coefficients in zigzag order; `previous` is the DC before it."""
    ac_codes = ac_codes or AC_CODES
    extra, size = magnitude(block[0] - previous)
    bits.put(*DC_CODES[size])
    bits.put(extra, size)
    run = 0
    last = max((i for i in range(1, 64) if block[i]), default=0)
    for value in block[1 : last + 1]:
        if value == 0:
            run += 1
            continue
        while run > 15:
            bits.put(*ac_codes[0xF0])
            run -= 16
        extra, size = magnitude(value)
        bits.put(*ac_codes[run << 4 | size])
        bits.put(extra, size)
        run = 0
    if last < 63:
        bits.put(*ac_codes[0x00])


def _dct_blocks(plane: np.ndarray, quality_step: int) -> np.ndarray:
    """Quantised zigzag coefficients, int, of shape [blocks down, blocks across, 64]."""
    k = np.arange(8)
    basis = np.cos((2 * k[None, :] + 1) * k[:, None] * np.pi / 16) * 0.5
    basis[0] /= np.sqrt(2)
    down, across = plane.shape[0] // 8, plane.shape[1] // 8
    blocks = plane.reshape(down, 8, across, 8).transpose(0, 2, 1, 3).astype(np.float64) - 128
    coefficients = basis @ blocks @ basis.T
    return np.rint(coefficients / quality_step).astype(int).reshape(down, across, 64)[..., ZIGZAG]


def _segment(marker: int, body: bytes) -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body


def _fit(plane: np.ndarray, height: int, width: int) -> np.ndarray:
    """The plane, its last row and column repeated up to the given size."""
    return np.pad(plane, ((0, height - plane.shape[0]), (0, width - plane.shape[1])), mode="edge")


def encode_jpeg(
    planes: list[np.ndarray],
    factors: list[tuple[int, int]],
    *,
    adobe: int | None = None,
    jfif: bool = True,
    restart: int = 0,
    step: int = 8,
    ids: bytes = b"\x01\x02\x03\x04",
) -> bytes:
    """A baseline JPEG file.

    planes: uint8 arrays, all of the full size [height, width], in the file's own colour space.
    factors: per component (horizontal, vertical) sampling factor; (1, 1) for all means no subsampling.
    adobe: the transform byte of an Adobe marker (0 none, 1 YCbCr, 2 YCCK); None writes no marker.
    restart: MCUs between restart markers; 0 means none. step: the one quantiser of all coefficients.
    """
    height, width = planes[0].shape
    most_h, most_v = max(h for h, _ in factors), max(v for _, v in factors)
    across, down = -(-width // (8 * most_h)), -(-height // (8 * most_v))
    blocks = []
    for plane, (h, v) in zip(planes, factors):
        full = _fit(plane, down * 8 * most_v, across * 8 * most_h).astype(np.float64)
        ry, rx = most_v // v, most_h // h
        small = full.reshape(full.shape[0] // ry, ry, full.shape[1] // rx, rx).mean((1, 3))
        blocks.append(_dct_blocks(np.rint(small), step).tolist())

    bits, previous, count = Bits(), [0] * len(planes), 0
    for my in range(down):
        for mx in range(across):
            if restart and count and count % restart == 0:
                bits.align()
                bits.out += bytes([0xFF, 0xD0 + (count // restart - 1) % 8])
                previous = [0] * len(planes)
            count += 1
            for c, (h, v) in enumerate(factors):
                for y in range(v):
                    for x in range(h):
                        block = blocks[c][my * v + y][mx * h + x]
                        put_block(bits, block, previous[c])
                        previous[c] = block[0]
    bits.align()

    n = len(planes)
    out = b"\xff\xd8"
    if jfif:
        out += _segment(0xE0, b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0")
    if adobe is not None:
        out += _segment(0xEE, b"Adobe\0\x64\0\0\0\0" + bytes([adobe]))
    out += _segment(0xDB, b"\0" + bytes([step]) * 64)
    frame = b"".join(bytes([ids[i], h << 4 | v, 0]) for i, (h, v) in enumerate(factors))
    out += _segment(0xC0, struct.pack(">BHHB", 8, height, width, n) + frame)
    out += _segment(0xC4, b"\x00" + DC_BITS + DC_VALUES) + _segment(0xC4, b"\x10" + AC_BITS + AC_VALUES)
    if restart:
        out += _segment(0xDD, struct.pack(">H", restart))
    scan = b"".join(bytes([ids[i], 0]) for i in range(n))
    out += _segment(0xDA, bytes([n]) + scan + b"\0\x3f\0")
    return out + bytes(bits.out) + b"\xff\xd9"
