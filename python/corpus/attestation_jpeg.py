"""JPEG files from coefficients: every sampling, baseline or progressive, for the built-in pictures.

Method: ITU-T T.81, annexes F and G: Huffman coding, spectral selection and successive approximation.
Blocks are 64 quantised coefficients in zigzag order; a component is an int array [down, across, 64].
"""

from __future__ import annotations

import struct

import numpy as np

from corpus_jpeg import DC_BITS, DC_CODES, DC_VALUES, Bits, huffman_codes, magnitude, put_block


def _ac_table() -> tuple[bytes, bytes]:
    """Short codes for what is frequent where all coefficients are small and few are zero."""
    frequent = [[0x01, 0x02], [0x03], [0x11, 0x04], [0x00, 0x12, 0x21, 0x05]]
    pairs = [0xF0, *(run << 4 | size for run in range(16) for size in range(1, 11))]
    values = [pair for group in frequent for pair in group]
    bits = [0, *map(len, frequent), *[0] * 11]
    bits[10] = len(pairs) - len(values) + 1
    return bytes(bits), bytes(values + [pair for pair in pairs if pair not in values])


AC_BITS, AC_VALUES = _ac_table()
AC_CODES = huffman_codes(AC_BITS, AC_VALUES)

# Of a progressive file: first and last coefficient, bit that was sent before, lowest bit that is sent.
AC_SCANS = [(1, 5, 0, 2), (6, 63, 0, 2), (1, 63, 2, 1), (1, 63, 1, 0)]


def segment(marker: int, body: bytes) -> bytes:
    """A marker segment with its length."""
    return bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body


def _mcu_blocks(components: list[np.ndarray], factors: list[tuple[int, int]]) -> list[tuple[int, list[int]]]:
    """Component and coefficients of the blocks of an interleaved scan, in their order."""
    down, across = (components[0].shape[i] // factors[0][1 - i] for i in (0, 1))
    blocks = []
    for my in range(down):
        for mx in range(across):
            for c, (h, v) in enumerate(factors):
                for y in range(v):
                    blocks += [(c, components[c][my * v + y, mx * h + x].tolist()) for x in range(h)]
    return blocks


def _scan_header(ids: list[int], tables: int, first: int, last: int, high: int, low: int) -> bytes:
    pairs = b"".join(bytes([i, tables]) for i in ids)
    return segment(0xDA, bytes([len(ids)]) + pairs + bytes([first, last, high << 4 | low]))


def _baseline(components: list[np.ndarray], factors: list[tuple[int, int]]) -> bytes:
    bits, before = Bits(), [0] * len(components)
    for c, block in _mcu_blocks(components, factors):
        put_block(bits, block, before[c], AC_CODES)
        before[c] = block[0]
    bits.align()
    return _scan_header(list(range(1, len(components) + 1)), 0, 0, 63, 0, 0) + bytes(bits.out)


def _dc_scans(components: list[np.ndarray], factors: list[tuple[int, int]]) -> tuple[bytes, bytes]:
    """The first scan of DC, all but its lowest bit, and the last, that bit alone."""
    first, last, before = Bits(), Bits(), [0] * len(components)
    for c, block in _mcu_blocks(components, factors):
        extra, size = magnitude((block[0] >> 1) - before[c])
        first.put(*DC_CODES[size])
        first.put(extra, size)
        last.put(block[0] & 1, 1)
        before[c] = block[0] >> 1
    first.align()
    last.align()
    ids = list(range(1, len(components) + 1))
    return (
        _scan_header(ids, 0, 0, 0, 0, 1) + bytes(first.out),
        _scan_header(ids, 0, 0, 0, 1, 0) + bytes(last.out),
    )


def _shifted(value: int, low: int) -> int:
    return value >> low if value >= 0 else -(-value >> low)


def _put_ac_first(bits: Bits, block: list[int], first: int, last: int, low: int) -> None:
    run = 0
    for value in (_shifted(v, low) for v in block[first : last + 1]):
        if value == 0:
            run += 1
            continue
        for _ in range(run // 16):
            bits.put(*AC_CODES[0xF0])
        extra, size = magnitude(value)
        bits.put(*AC_CODES[run % 16 << 4 | size])
        bits.put(extra, size)
        run = 0
    if run:
        bits.put(*AC_CODES[0x00])


def _put_ac_refined(bits: Bits, block: list[int], first: int, last: int, low: int) -> None:
    values = [_shifted(v, low) for v in block]
    fresh = [i for i in range(first, last + 1) if abs(values[i]) == 1]
    final = fresh[-1] if fresh else first - 1
    run, corrections = 0, []
    for i in range(first, last + 1):
        value = values[i]
        if i > final:
            break
        if value == 0:
            run += 1
            if run == 16:
                bits.put(*AC_CODES[0xF0])
                for bit in corrections:
                    bits.put(bit, 1)
                run, corrections = 0, []
        elif abs(value) > 1:
            corrections.append(abs(value) & 1)
        else:
            bits.put(*AC_CODES[run << 4 | 1])
            bits.put(int(value > 0), 1)
            for bit in corrections:
                bits.put(bit, 1)
            run, corrections = 0, []
    rest = range(final + 1, last + 1)
    if len(rest):
        bits.put(*AC_CODES[0x00])
        for bit in [abs(values[i]) & 1 for i in rest if abs(values[i]) > 1]:
            bits.put(bit, 1)


def _ceil(value: int, unit: int) -> int:
    return -(-value // unit)


def _progressive(
    components: list[np.ndarray], factors: list[tuple[int, int]], width: int, height: int
) -> bytes:
    dc_first, dc_last = _dc_scans(components, factors)
    most_h, most_v = factors[0]
    out = dc_first
    for first, last, high, low in AC_SCANS:
        for c, (h, v) in enumerate(factors):
            bits = Bits()
            # A scan of one component has the blocks that its pixels need, no more.
            down = _ceil(_ceil(height * v, most_v), 8)
            across = _ceil(_ceil(width * h, most_h), 8)
            for block in components[c][:down, :across].reshape(-1, 64).tolist():
                (_put_ac_refined if high else _put_ac_first)(bits, block, first, last, low)
            bits.align()
            out += _scan_header([c + 1], 0, first, last, high, low) + bytes(bits.out)
    return out + dc_last


def encode_coefficients(
    components: list[np.ndarray],
    factors: list[tuple[int, int]],
    quantisers: list[list[int]],
    width: int,
    height: int,
    *,
    progressive: bool = False,
) -> bytes:
    """A JFIF file of the coefficients.

    factors: (horizontal, vertical) per component; the first must be the largest, the others (1, 1).
    quantisers: 64 steps in zigzag order per component.
    """
    n = len(components)
    out = b"\xff\xd8" + segment(0xE0, b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0")
    out += b"".join(segment(0xDB, bytes([i, *steps])) for i, steps in enumerate(quantisers))
    frame = b"".join(bytes([i + 1, h << 4 | v, i]) for i, (h, v) in enumerate(factors))
    out += segment(0xC2 if progressive else 0xC0, struct.pack(">BHHB", 8, height, width, n) + frame)
    out += segment(0xC4, b"\x00" + DC_BITS + DC_VALUES) + segment(0xC4, b"\x10" + AC_BITS + AC_VALUES)
    scans = (
        _progressive(components, factors, width, height) if progressive else _baseline(components, factors)
    )
    return out + scans + b"\xff\xd9"
